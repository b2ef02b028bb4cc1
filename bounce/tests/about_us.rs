//! What a server says of our own host, sender or message must not suppress anybody, however much it sounds like what is
//! said of a mailbox that does not exist.

use bounce::{Kind, Rules, Stage};
use mail::Reply;

fn kind(line: &str, stage: Stage) -> Kind {
    let (code, text) = line.split_at(3);
    Rules::builtin().classify(&Reply::new(code.parse().unwrap(), [text.trim_start()]), stage).kind
}

fn check(lines: &[&str], is_hard: bool) {
    for line in lines {
        for stage in [Stage::Rcpt, Stage::Report] {
            assert_eq!(kind(line, stage) == Kind::Hard, is_hard, "{line} at {stage:?}");
        }
    }
}

#[test]
fn of_our_host() {
    check(
        &[
            "550 Your IP address is not registered with us",
            "554 your server name could not be found in DNS",
            "550 Host name lookup: your host was not found",
            "550 HELO domain does not exist",
            "550 EHLO name could not be found",
            "550 Client host unknown",
            "550 Access denied: unknown host",
            "550 unknown host [192.0.2.1]",
            "550 Your IP no longer valid",
            "550 Your host no longer exists in DNS",
            "550 our servers have moved to another address",
            "551 your IP has changed address",
            "550 your certificate was not found",
            "554 Ваш IP-адрес заблокирован",
            "554 Su servidor está bloqueado por enviar spam",
        ],
        false,
    );
}

#[test]
fn of_our_sender() {
    check(
        &[
            "550 Your domain does not exist",
            "550 No MX for your domain",
            "550 domain of your return path has no MX",
            "550 Sending domain does not exist",
            "550 mail from: user unknown",
            "550 Sender's mailbox does not exist",
            "550 not a valid sender address",
            "553 invalid address in MAIL FROM",
            "553 5.1.7 bad address",
            "550 5.1.8 unknown domain",
            "550 reply-to address not found",
            "550 The user does not accept mail from your domain",
            "550 your account has been disabled for sending",
            "550 Absender existiert nicht",
            "550 Expéditeur inconnu",
            "550 El remitente no existe",
            "550 Отправитель не найден",
            "550 发件人不存在",
            "550 差出人が存在しません",
        ],
        false,
    );
}

#[test]
fn of_our_message() {
    check(
        &[
            "550 charset is not recognized",
            "550 URL in your message could not be found",
            "550 Attachment has been removed",
            "550 Invalid email content",
            "550 message to this mailbox was removed by filter",
            "550 unknown charset in message to recipient",
            "550 mailbox unavailable: policy reasons",
            "550 recipient does not exist on whitelist",
        ],
        false,
    );
}

#[test]
fn of_nobody_yet() {
    check(
        &[
            "550 callout failed: timeout",
            "550 recipient verification temporarily failed",
            "550 unable to verify recipient at this time",
            "550 domain not found, try again",
            "450 user unknown",
            "550 authentication failed: user unknown",
        ],
        false,
    );
}

#[test]
fn of_the_recipient() {
    check(
        &[
            "550 <ana@example.com>: not found",
            "550 mailbox <ana@example.com> does not exist here",
            "550 5.1.1 <ana@example.com>: Recipient address rejected: User unknown; from=<news@example.org> proto=ESMTP",
            "550 Account not found",
            "550 Empfänger unbekannt",
            "550 收件人不存在",
        ],
        true,
    );
}
