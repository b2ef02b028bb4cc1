//! The client's commands (RFC 5321 §4.1).

/// A command line, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Ehlo(&'a str),
    Helo(&'a str),
    StartTls,
    Mail {
        path: &'a str,
        size: Option<usize>,
        eight_bit: bool,
    },
    Rcpt {
        path: &'a str,
    },
    Data,
    Rset,
    Noop,
    Vrfy,
    Quit,
    /// A known command with an argument that it cannot have.
    BadArgument,
    Unknown,
}

impl<'a> Command<'a> {
    /// Reads a line without its end.
    pub fn parse(line: &'a str) -> Command<'a> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let bare = |command| if rest.is_empty() { command } else { Command::BadArgument };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" if !rest.is_empty() => Command::Ehlo(rest),
            "HELO" if !rest.is_empty() => Command::Helo(rest),
            "EHLO" | "HELO" => Command::BadArgument,
            "STARTTLS" => bare(Command::StartTls),
            "MAIL" => mail(rest),
            "RCPT" => path_and_parameters(rest, "TO:").map_or(Command::BadArgument, |(path, parameters)| {
                if parameters.is_empty() && !path.is_empty() { Command::Rcpt { path } } else { Command::BadArgument }
            }),
            "DATA" => bare(Command::Data),
            "RSET" => bare(Command::Rset),
            "NOOP" => Command::Noop,
            "VRFY" => Command::Vrfy,
            "QUIT" => bare(Command::Quit),
            _ => Command::Unknown,
        }
    }
}

fn mail(rest: &str) -> Command<'_> {
    let Some((path, parameters)) = path_and_parameters(rest, "FROM:") else { return Command::BadArgument };
    let (mut size, mut eight_bit) = (None, false);
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SIZE", value) => match value.parse() {
                Ok(bytes) => size = Some(bytes),
                Err(_) => return Command::BadArgument,
            },
            ("BODY", "7BIT") => {}
            ("BODY", "8BITMIME") => eight_bit = true,
            _ => return Command::BadArgument,
        }
    }
    Command::Mail { path, size, eight_bit }
}

/// `FROM:<path> parameters`. No space is allowed around the colon (RFC 5321 §3.3).
fn path_and_parameters<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let head = rest.get(..keyword.len())?;
    let tail = rest.get(keyword.len()..)?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (path, parameters) = tail.strip_prefix('<')?.split_once('>')?;
    let plain = path.is_empty() || (path.contains('@') && !path.contains([' ', '<']));
    let apart = parameters.is_empty() || parameters.starts_with(' ');
    (plain && apart).then(|| (path, parameters.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        for (line, command) in [
            ("EHLO mail.example", Command::Ehlo("mail.example")),
            ("ehlo", Command::BadArgument),
            ("MAIL FROM:<>", Command::Mail { path: "", size: None, eight_bit: false }),
            (
                "mail from:<a@b.example> SIZE=10 BODY=8BITMIME",
                Command::Mail { path: "a@b.example", size: Some(10), eight_bit: true },
            ),
            ("MAIL FROM: <a@b.example>", Command::BadArgument),
            ("MAIL FROM:<a@b.example> X=1", Command::BadArgument),
            ("MAIL FROM:a@b.example", Command::BadArgument),
            ("RCPT TO:<a@b.example>", Command::Rcpt { path: "a@b.example" }),
            ("RCPT TO:<>", Command::BadArgument),
            ("RCPT TO:<a b@b.example>", Command::BadArgument),
            ("DATA", Command::Data),
            ("DATA x", Command::BadArgument),
            ("", Command::Unknown),
            ("BDAT 5", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), command, "{line}");
        }
    }
}
