//! The dialogue of AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN, which is older and written down nowhere else than in
//! the programs that use it. Pure.

use super::command::Refusal;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Some clients leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the client was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Plain,
    LoginName,
    LoginSecret(String),
}

/// What a client signs in with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub login: String,
    pub secret: Zeroizing<String>,
}

/// How AUTH goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask with this prompt, already encoded.
    Ask(&'static str, Asked),
    Check(Pair),
    Refuse(Refusal),
}

const NOT_BASE64: Step = Step::Refuse((501, "5.5.2", "not understood; AUTH is over"));

/// The first step.
pub(super) fn begin(mechanism: &str, initial: Option<&str>) -> Step {
    let asked = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => Asked::Plain,
        "LOGIN" => Asked::LoginName,
        _ => return Step::Refuse((504, "5.5.4", "only PLAIN and LOGIN are offered")),
    };
    match (initial, asked) {
        (Some(initial), asked) => answer(asked, initial.as_bytes()),
        (None, Asked::Plain) => Step::Ask("", Asked::Plain),
        // "Username:"
        (None, asked) => Step::Ask("VXNlcm5hbWU6", asked),
    }
}

/// The next step, with the client's answer.
pub(super) fn answer(asked: Asked, line: &[u8]) -> Step {
    if line == b"*" {
        return Step::Refuse((501, "5.7.0", "AUTH is over, as you wish"));
    }
    let decoded = BASE64.decode(line).ok().and_then(|bytes| String::from_utf8(bytes).ok()).map(Zeroizing::new);
    let Some(text) = decoded else { return NOT_BASE64 };
    match asked {
        Asked::Plain => plain(&text),
        // "Password:"
        Asked::LoginName => Step::Ask("UGFzc3dvcmQ6", Asked::LoginSecret(text.to_string())),
        Asked::LoginSecret(login) => Step::Check(Pair { login, secret: text }),
    }
}

/// RFC 4616 §2: whom to act for, who it is, the secret. Nobody acts for somebody else here.
fn plain(text: &str) -> Step {
    let parts: Vec<&str> = text.split('\0').collect();
    match parts[..] {
        [acting, login, secret] if acting.is_empty() || acting == login => {
            Step::Check(Pair { login: login.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
        }
        _ => NOT_BASE64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(login: &str, secret: &str) -> Step {
        Step::Check(Pair { login: login.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
    }

    #[test]
    fn plain_in_one_or_two_steps() {
        let encoded = BASE64.encode("\0pb1\0secret");
        assert_eq!(begin("plain", Some(&encoded)), pair("pb1", "secret"));
        assert_eq!(begin("PLAIN", None), Step::Ask("", Asked::Plain));
        assert_eq!(answer(Asked::Plain, encoded.trim_end_matches('=').as_bytes()), pair("pb1", "secret"));
        assert_eq!(answer(Asked::Plain, BASE64.encode("pb1\0pb1\0s").as_bytes()), pair("pb1", "s"));
        for wrong in ["", "pb1", "\0pb1", "pb2\0pb1\0s", "\0a\0b\0c"] {
            assert_eq!(answer(Asked::Plain, BASE64.encode(wrong).as_bytes()), NOT_BASE64, "{wrong:?}");
        }
    }

    #[test]
    fn login_in_steps() {
        let name = BASE64.encode("pb1");
        assert_eq!(begin("LOGIN", None), Step::Ask("VXNlcm5hbWU6", Asked::LoginName));
        let asked = || Asked::LoginSecret("pb1".to_owned());
        assert_eq!(begin("login", Some(&name)), Step::Ask("UGFzc3dvcmQ6", asked()));
        assert_eq!(answer(Asked::LoginName, name.as_bytes()), Step::Ask("UGFzc3dvcmQ6", asked()));
        assert_eq!(answer(asked(), BASE64.encode("secret").as_bytes()), pair("pb1", "secret"));
        assert!(matches!(answer(asked(), b"*"), Step::Refuse((501, ..))));
        assert_eq!(answer(asked(), b"?!"), NOT_BASE64);
        assert!(matches!(begin("CRAM-MD5", None), Step::Refuse((504, ..))));
    }
}
