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
        /// RET and ENVID (RFC 3461), as they were said.
        wishes: Vec<&'a str>,
    },
    Rcpt {
        path: &'a str,
        /// NOTIFY and ORCPT, likewise.
        wishes: Vec<&'a str>,
    },
    Data,
    Bdat {
        size: usize,
        last: bool,
    },
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
            "RCPT" => rcpt(rest),
            "DATA" => bare(Command::Data),
            "BDAT" => bdat(rest),
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
    let (mut size, mut eight_bit, mut wishes) = (None, false, Vec::new());
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SIZE", value) => match value.parse() {
                Ok(bytes) => size = Some(bytes),
                Err(_) => return Command::BadArgument,
            },
            ("RET", "FULL" | "HDRS") => wishes.push(parameter),
            ("ENVID", value) if !value.is_empty() => wishes.push(parameter),
            ("BODY", "7BIT") => {}
            ("BODY", "8BITMIME") => eight_bit = true,
            _ => return Command::BadArgument,
        }
    }
    Command::Mail { path, size, eight_bit, wishes }
}

fn rcpt(rest: &str) -> Command<'_> {
    let Some((path, parameters)) = path_and_parameters(rest, "TO:") else { return Command::BadArgument };
    let wishes: Vec<&str> = parameters.split_ascii_whitespace().collect();
    let is_known = |wish: &&str| wish.starts_with("NOTIFY=") || wish.starts_with("ORCPT=");
    if path.is_empty() || !wishes.iter().all(is_known) { Command::BadArgument } else { Command::Rcpt { path, wishes } }
}

fn bdat(rest: &str) -> Command<'_> {
    let (size, last) = rest.split_once(' ').map_or((rest, None), |(size, last)| (size, Some(last)));
    match (size.parse(), last) {
        (Ok(size), None) => Command::Bdat { size, last: false },
        (Ok(size), Some(last)) if last.eq_ignore_ascii_case("LAST") => Command::Bdat { size, last: true },
        _ => Command::BadArgument,
    }
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
            ("MAIL FROM:<>", Command::Mail { path: "", size: None, eight_bit: false, wishes: vec![] }),
            (
                "mail from:<a@b.example> SIZE=10 BODY=8BITMIME",
                Command::Mail { path: "a@b.example", size: Some(10), eight_bit: true, wishes: vec![] },
            ),
            ("MAIL FROM: <a@b.example>", Command::BadArgument),
            ("MAIL FROM:<a@b.example> X=1", Command::BadArgument),
            ("MAIL FROM:a@b.example", Command::BadArgument),
            ("RCPT TO:<a@b.example>", Command::Rcpt { path: "a@b.example", wishes: vec![] }),
            ("RCPT TO:<a@b.example> X=1", Command::BadArgument),
            ("RCPT TO:<a@b.example> NOTIFY=NEVER", Command::Rcpt { path: "a@b.example", wishes: vec!["NOTIFY=NEVER"] }),
            ("RCPT TO:<>", Command::BadArgument),
            ("RCPT TO:<a b@b.example>", Command::BadArgument),
            ("DATA", Command::Data),
            ("DATA x", Command::BadArgument),
            ("", Command::Unknown),
            ("BDAT 5", Command::Bdat { size: 5, last: false }),
            ("BDAT 0 last", Command::Bdat { size: 0, last: true }),
            ("BDAT x", Command::BadArgument),
            ("BDAT 5 FIRST", Command::BadArgument),
        ] {
            assert_eq!(Command::parse(line), command, "{line}");
        }
    }
}
