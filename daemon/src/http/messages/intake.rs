//! A message of a request, checked and written: what the queue takes. Every mistake names its field.

use super::notices;
use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::{ApiError, sentence};
use api_types::{ErrorCode, NewAttachment};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use campaign::template::{Merged, plain_text};
use mail::submission::letter::{self, Attachment, Letter};
use mail::submission::{Defaults, NotAMessage, Prepared, prepare, tags};
use mail::{Mailbox, NotAMailbox};
use std::collections::BTreeSet;
use storage::message::{NewMessage, NewMessageRecipient, Submission};
use storage::{Connection, TemplateId, address_hash, domain};

/// Recipients of one message at most.
const RECIPIENTS_MAX: usize = 1_000;
/// How far ahead a message can be sent.
const SEND_AHEAD_MS: i64 = 30 * 86_400_000;
/// The stream of a message that names none.
const STREAM: &str = "transactional";

/// As most programs write it; the end may lack its `=`.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who brings messages, and when.
#[derive(Clone)]
pub(super) struct Intake {
    app: Shared,
    actor: Actor,
    now_ms: i64,
}

/// To whom a message goes, and what its header says of it.
struct Envelope {
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    recipients: Vec<NewMessageRecipient>,
}

impl Intake {
    pub fn new(app: &Shared, actor: &Actor) -> Intake {
        Intake { app: app.clone(), actor: actor.clone(), now_ms: app.now_ms() }
    }

    /// Checks a message and writes it.
    pub fn ready(&self, c: &Connection, new: api_types::NewMessage) -> Result<NewMessage, ApiError> {
        let mut envelope = envelope(&new)?;
        let wanted = notices::wanted(c, self.actor.workspace, self.app.config.notice.to, &new)?;
        envelope.recipients.iter_mut().for_each(|to| to.dsn_notify.clone_from(&wanted.notify));
        let given_tags = tags(new.tags.iter().map(String::as_str)).map_err(|e| invalid("tags", &e))?;
        let send_at_ms = self.send_at(new.send_at.as_deref())?;
        let id = self.random_id();
        let whole = new.raw.is_some();
        let written = match &new.raw {
            Some(raw) => self.whole(&new, raw)?,
            None => self.letter(c, &new, &envelope, &id)?,
        };
        let prepared = prepare(&written, &Defaults { id: &id, date_ms: self.now_ms });
        let prepared = prepared.map_err(|e| invalid(if whole { "raw" } else { field_of(&e) }, &e))?;
        let stream = new.stream.as_deref().or(prepared.stream.as_deref()).unwrap_or(STREAM);
        let found = self.stream(stream)?;
        let domain_id = self.sending_domain(c, &prepared, if whole { "raw" } else { "from" })?;
        let expiry_ms = i64::try_from(found.expiry.as_millis()).unwrap_or(i64::MAX);
        Ok(NewMessage {
            workspace_id: self.actor.workspace,
            domain_id,
            submission: Submission::Http,
            submitter: self.actor.name.clone(),
            stream: stream.to_owned(),
            kind: found.kind,
            pool: found.pool.to_string(),
            header_id: prepared.header_id,
            from_address: prepared.from.to_string(),
            subject: prepared.subject,
            tags: if given_tags.is_empty() { prepared.tags } else { given_tags },
            dsn_envid: None,
            dsn_ret: None,
            notices: wanted.notices,
            eight_bit: prepared.eight_bit,
            smtputf8: prepared.smtputf8,
            content: prepared.content.into_owned(),
            accepted_ms: self.now_ms,
            send_at_ms,
            expires_ms: send_at_ms.saturating_add(expiry_ms),
            recipients: envelope.recipients,
        })
    }

    fn stream(&self, name: &str) -> Result<&config::Stream, ApiError> {
        let streams = &self.app.config.streams;
        streams.find(name).ok_or_else(|| {
            let names: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
            ApiError::invalid("stream", format!("There is no stream {name:?}. There are: {}.", names.join(", ")))
        })
    }

    /// RFC 3339, up to 30 days ahead; what is over is now.
    fn send_at(&self, text: Option<&str>) -> Result<i64, ApiError> {
        let Some(text) = text else { return Ok(self.now_ms) };
        let at: jiff::Timestamp = text.parse().map_err(|_| {
            ApiError::invalid("send_at", format!("{text:?} is not a moment; write it like 2026-01-31T08:00:00Z."))
        })?;
        let at_ms = at.as_millisecond();
        if at_ms > self.now_ms + SEND_AHEAD_MS {
            return Err(ApiError::invalid("send_at", "A message can be sent at most 30 days ahead."));
        }
        Ok(at_ms.max(self.now_ms))
    }

    /// 128 random bits: no other message has them.
    fn random_id(&self) -> String {
        let mut bytes = [0; 16];
        self.app.random.fill(&mut bytes);
        format!("{:032x}", u128::from_be_bytes(bytes))
    }

    /// A message that came whole.
    fn whole(&self, new: &api_types::NewMessage, raw: &str) -> Result<Vec<u8>, ApiError> {
        let beside = [
            ("from", new.from.is_some()),
            ("reply_to", new.reply_to.is_some()),
            ("subject", new.subject.is_some()),
            ("text", new.text.is_some()),
            ("html", new.html.is_some()),
            ("template", new.template.is_some()),
            ("attachments", !new.attachments.is_empty()),
            ("headers", !new.headers.is_empty()),
        ];
        if let Some((field, _)) = beside.into_iter().find(|(_, given)| *given) {
            return Err(ApiError::invalid(field, "With raw the message itself says this; leave the field out."));
        }
        let bytes = decode("raw", raw)?;
        self.fits("raw", bytes.len())?;
        Ok(whole_lines(bytes))
    }

    /// A message written here.
    fn letter(
        &self,
        c: &Connection,
        new: &api_types::NewMessage,
        envelope: &Envelope,
        id: &str,
    ) -> Result<Vec<u8>, ApiError> {
        let from = new.from.as_deref().ok_or_else(|| ApiError::invalid("from", "Say who writes: from is missing."))?;
        let from = mailbox("from", from)?;
        let reply_to = new.reply_to.as_deref().map(|text| mailbox("reply_to", text)).transpose()?;
        let said = self.said(c, new)?;
        let attachments = attachments(&new.attachments)?;
        let headers: Vec<(String, String)> = new.headers.clone().into_iter().collect();
        let files: usize = attachments.iter().map(|file| file.content.len()).sum();
        self.fits(if files > 0 { "attachments" } else { "html" }, files + said.html.len() + said.text.len())?;
        let letter = Letter {
            from: &from,
            to: &envelope.to,
            cc: &envelope.cc,
            reply_to: reply_to.as_ref(),
            subject: &said.subject,
            text: &said.text,
            html: (!said.html.is_empty()).then_some(said.html.as_str()),
            attachments: &attachments,
            headers: &headers,
            id,
        };
        letter::write(&letter).map_err(|e| ApiError::invalid(&e.field, sentence(&e.why)))
    }

    /// Subject and bodies: of the template, or as given.
    fn said(&self, c: &Connection, new: &api_types::NewMessage) -> Result<Merged, ApiError> {
        let Some(template) = new.template else {
            if !new.variables.is_empty() {
                return Err(ApiError::invalid("variables", "Variables are for a template; name one in template."));
            }
            return said(new);
        };
        let beside = [("subject", &new.subject), ("text", &new.text), ("html", &new.html)];
        if let Some((field, _)) = beside.into_iter().find(|(_, given)| given.is_some()) {
            return Err(ApiError::invalid(field, "The template says this; leave the field out, or the template."));
        }
        Ok(self.app.merger.merge(c, (self.actor.workspace, TemplateId(template)), &new.variables)?)
    }

    fn fits(&self, field: &str, bytes: usize) -> Result<(), ApiError> {
        let max = self.app.config.http.message_max_mb;
        if bytes <= max as usize * 1024 * 1024 {
            return Ok(());
        }
        let message =
            format!("The message is larger than {max} MiB ([http] message_max_mb). Send a link instead of a file.");
        Err(ApiError::new(ErrorCode::TooLarge, message).at(field))
    }

    fn sending_domain(
        &self,
        c: &Connection,
        prepared: &Prepared<'_>,
        field: &str,
    ) -> Result<storage::DomainId, ApiError> {
        let name = prepared.from.domain().as_str();
        match domain::find_by_name(c, self.actor.workspace, name)? {
            Some(found) => Ok(found.id),
            None => {
                let message = format!("{name} is not one of your sending domains. Add it first, or send from another.");
                Err(ApiError::invalid(field, message))
            }
        }
    }
}

/// Subject and bodies as the request has them.
fn said(new: &api_types::NewMessage) -> Result<Merged, ApiError> {
    let html = new.html.clone().unwrap_or_default();
    let text = match (&new.text, html.is_empty()) {
        (Some(text), _) => text.clone(),
        (None, false) => plain_text(&html),
        (None, true) => {
            return Err(ApiError::invalid("text", "Say something: text, html, template or raw."));
        }
    };
    Ok(Merged { subject: new.subject.clone().unwrap_or_default(), html, text })
}

/// Whom the message goes to: each address once, however often it is named.
fn envelope(new: &api_types::NewMessage) -> Result<Envelope, ApiError> {
    let lists = [("to", &new.to), ("cc", &new.cc), ("bcc", &new.bcc)];
    let count: usize = lists.iter().map(|(_, list)| list.len()).sum();
    if count == 0 {
        return Err(ApiError::invalid("to", "Say to whom: to, cc and bcc are empty."));
    }
    if count > RECIPIENTS_MAX {
        let message =
            format!("A message has at most {RECIPIENTS_MAX} recipients, not {count}. Send several, or a campaign.");
        return Err(ApiError::invalid("to", message));
    }
    let [to, cc, bcc] = lists.map(|(field, list)| mailboxes(field, list));
    let (to, cc, bcc) = (to?, cc?, bcc?);
    let mut seen = BTreeSet::new();
    let mut recipients = Vec::with_capacity(count);
    for mailbox in to.iter().chain(&cc).chain(&bcc) {
        if seen.insert(mailbox.address.normalized()) {
            recipients.push(NewMessageRecipient {
                address: mailbox.address.clone(),
                address_hash: address_hash(&mailbox.address),
                dsn_notify: None,
                dsn_orcpt: None,
            });
        }
    }
    Ok(Envelope { to, cc, recipients })
}

fn mailboxes(field: &str, list: &[String]) -> Result<Vec<Mailbox>, ApiError> {
    list.iter().enumerate().map(|(at, text)| mailbox(&format!("{field}[{at}]"), text)).collect()
}

pub(super) fn mailbox(field: &str, text: &str) -> Result<Mailbox, ApiError> {
    Mailbox::parse(text).map_err(|e: NotAMailbox| ApiError::invalid(field, sentence(&e.to_string())))
}

fn attachments(given: &[NewAttachment]) -> Result<Vec<Attachment>, ApiError> {
    let decoded = given.iter().enumerate().map(|(at, file)| {
        Ok(Attachment {
            name: file.name.clone(),
            content_type: file.content_type.clone(),
            content: decode(&format!("attachments[{at}].content"), &file.content)?,
            content_id: file.content_id.clone(),
        })
    });
    decoded.collect()
}

fn decode(field: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    let broken = |e| ApiError::invalid(field, format!("This is not base64: {e}."));
    if !text.bytes().any(|b| b.is_ascii_whitespace()) {
        return BASE64.decode(text).map_err(broken);
    }
    // Some programs write it in lines.
    let text: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    BASE64.decode(text).map_err(broken)
}

/// A message of a program that ends its lines in LF alone, with CR LF; one with any CR is left to be judged, since who
/// mixes them may hide something.
fn whole_lines(mut bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.contains(&b'\r') {
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        let lines = bytes.iter().filter(|b| **b == b'\n').count();
        let mut out = Vec::with_capacity(bytes.len() + lines);
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            out.extend_from_slice(&line[..line.len() - 1]);
            out.extend_from_slice(b"\r\n");
        }
        return out;
    }
    if !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Which field of a letter a mistake comes from: the rest was written by us.
fn field_of(mistake: &NotAMessage) -> &'static str {
    match mistake {
        NotAMessage::From(_) | NotAMessage::NoFrom => "from",
        _ => "headers",
    }
}

fn invalid(field: &str, mistake: &NotAMessage) -> ApiError {
    ApiError::invalid(field, sentence(&mistake.to_string()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_of_unix_get_both_ends_and_mixed_ones_are_left() {
        for (raw, expected) in
            [("a\n\nb", "a\r\n\r\nb\r\n"), ("a\n", "a\r\n"), ("a\r\nb", "a\r\nb\r\n"), ("a\r\nb\n", "a\r\nb\n")]
        {
            assert_eq!(super::whole_lines(raw.as_bytes().to_vec()), expected.as_bytes(), "{raw:?}");
        }
    }
}
