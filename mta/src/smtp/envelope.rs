//! MAIL and RCPT with their parameters: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), and those of RFC 3461
//! where the server offers to take them.

use super::capabilities::Capabilities;
use std::io::Write as _;

/// What MAIL and RCPT say.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// Empty for `<>`.
    pub reverse_path: String,
    /// At least one.
    pub recipients: Vec<Rcpt>,
    pub size: usize,
    pub eight_bit: bool,
    pub smtputf8: bool,
    /// `full` or `hdrs` (RFC 3461 §4.3).
    pub ret: Option<String>,
    /// RFC 3461 §4.4, encoded.
    pub envid: Option<String>,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rcpt {
    pub address: String,
    /// The words of NOTIFY (RFC 3461 §4.1).
    pub notify: Option<String>,
    /// The value of ORCPT (RFC 3461 §4.2).
    pub orcpt: Option<String>,
}

impl Envelope {
    /// Appends the line of MAIL. Writing to a vector cannot fail.
    pub(super) fn push_mail(&self, out: &mut Vec<u8>, offered: &Capabilities) {
        let _ = write!(out, "MAIL FROM:<{}>", self.reverse_path);
        if offered.size.is_some() {
            let _ = write!(out, " SIZE={}", self.size);
        }
        if self.eight_bit && offered.eight_bit {
            out.extend_from_slice(b" BODY=8BITMIME");
        }
        if self.smtputf8 {
            out.extend_from_slice(b" SMTPUTF8");
        }
        if offered.dsn {
            if let Some(ret) = &self.ret {
                let _ = write!(out, " RET={}", ret.to_ascii_uppercase());
            }
            if let Some(envid) = &self.envid {
                let _ = write!(out, " ENVID={envid}");
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the line of RCPT.
    pub(super) fn push_rcpt(&self, rcpt: &Rcpt, out: &mut Vec<u8>, offered: &Capabilities) {
        let _ = write!(out, "RCPT TO:<{}>", rcpt.address);
        if offered.dsn {
            if let Some(notify) = &rcpt.notify {
                let _ = write!(out, " NOTIFY={notify}");
            }
            // RFC 6533 §3: UTF-8 in ORCPT belongs to SMTPUTF8.
            if let Some(orcpt) = rcpt.orcpt.as_ref().filter(|orcpt| orcpt.is_ascii() || self.smtputf8) {
                let _ = write!(out, " ORCPT={orcpt}");
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_where_they_are_taken() {
        let rcpt = |orcpt: &str| Rcpt {
            address: "ana@a.example".to_owned(),
            notify: Some("SUCCESS,FAILURE".to_owned()),
            orcpt: Some(orcpt.to_owned()),
        };
        let envelope = Envelope {
            reverse_path: "b-x@bounce.example.com".to_owned(),
            recipients: vec![rcpt("rfc822;ana+40a.example"), rcpt("utf-8;anä@a.example")],
            size: 7,
            eight_bit: true,
            smtputf8: false,
            ret: Some("hdrs".to_owned()),
            envid: Some("order+2D7".to_owned()),
        };
        let said = |envelope: &Envelope, offered: &Capabilities| {
            let mut out = Vec::new();
            envelope.push_mail(&mut out, offered);
            envelope.recipients.iter().for_each(|rcpt| envelope.push_rcpt(rcpt, &mut out, offered));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            said(&envelope, &Capabilities::default()),
            "MAIL FROM:<b-x@bounce.example.com>\r\nRCPT TO:<ana@a.example>\r\nRCPT TO:<ana@a.example>\r\n"
        );
        let all = Capabilities { dsn: true, eight_bit: true, size: Some(0), ..Capabilities::default() };
        assert_eq!(
            said(&envelope, &all),
            "MAIL FROM:<b-x@bounce.example.com> SIZE=7 BODY=8BITMIME RET=HDRS ENVID=order+2D7\r\n\
             RCPT TO:<ana@a.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ana+40a.example\r\n\
             RCPT TO:<ana@a.example> NOTIFY=SUCCESS,FAILURE\r\n"
        );
        let utf8 = Envelope { smtputf8: true, ..envelope };
        assert!(said(&utf8, &all).ends_with(" ORCPT=utf-8;anä@a.example\r\n"));
        let null = Envelope { reverse_path: String::new(), ret: None, envid: None, ..utf8 };
        assert!(said(&null, &all).starts_with("MAIL FROM:<> SIZE=7 BODY=8BITMIME SMTPUTF8\r\n"));
    }
}
