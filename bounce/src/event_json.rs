//! Events as JSON in a mail: Amazon SES sends them through its notification service, bounces, complaints, and deliveries
//! in one form.

use crate::report::{Action, Feedback, RecipientReport, Report, Sort};
use mail::EnhancedStatus;
use serde::Deserialize;

#[derive(Deserialize)]
struct Wrapped {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    #[serde(alias = "eventType")]
    notification_type: String,
    #[serde(default)]
    bounce: Option<Bounce>,
    #[serde(default)]
    complaint: Option<Complaint>,
    #[serde(default)]
    delivery: Option<Delivery>,
    #[serde(default)]
    mail: Mail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    #[serde(default)]
    bounce_type: String,
    #[serde(default)]
    bounced_recipients: Vec<Bounced>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounced {
    email_address: String,
    action: Option<String>,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    #[serde(default)]
    complained_recipients: Vec<Complainer>,
    complaint_feedback_type: Option<String>,
    user_agent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complainer {
    email_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    #[serde(default)]
    recipients: Vec<String>,
    smtp_response: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    #[serde(default)]
    headers: Vec<Header>,
    message_id: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// Reads the words as an event; `false` where they are none.
pub(crate) fn read(words: &str, report: &mut Report) -> bool {
    let Some(begin) = words.find('{').filter(|begin| words[..*begin].trim().is_empty()) else { return false };
    if !words.contains("notificationType") && !words.contains("eventType") {
        return false;
    }
    // Mail wraps lines and appends a footer: the first value counts.
    let joined = words[begin..].replace("\r\n", " ").replace('\n', " ");
    // The notification service wraps the event as a text into an object of its own.
    let wrapped = serde_json::Deserializer::from_str(&joined).into_iter::<Wrapped>().next();
    let joined = wrapped.and_then(Result::ok).map_or(joined, |wrapped| wrapped.message);
    let mut values = serde_json::Deserializer::from_str(&joined).into_iter::<Notification>();
    let Some(Ok(event)) = values.next() else { return false };
    report.evidence.push(format!("its words are an event of type {:?}", event.notification_type));
    let path = event.mail.source;
    let found = event.mail.headers.iter().find(|header| header.name.eq_ignore_ascii_case("message-id"));
    let id = found.map(|header| header.value.clone()).or(event.mail.message_id);
    report.original_message_id = id.map(|id| id.trim_matches(['<', '>']).to_owned());
    report.original_headers = event
        .mail
        .headers
        .into_iter()
        .take(crate::ORIGINAL_HEADERS_MAX)
        .map(|header| (header.name, header.value))
        .collect();
    if let Some(bounce) = event.bounce {
        report.sort = Sort::Bounce;
        let lasting = bounce.bounce_type != "Transient";
        report.recipients = bounce.bounced_recipients.into_iter().map(|one| bounced(one, lasting)).collect();
    } else if let Some(complaint) = event.complaint {
        report.sort = Sort::Feedback;
        report.feedback = Some(Feedback {
            feedback_type: complaint.complaint_feedback_type.unwrap_or_else(|| "abuse".to_owned()),
            user_agent: complaint.user_agent,
            recipients: complaint.complained_recipients.into_iter().map(|one| one.email_address).collect(),
            original_mail_from: path,
            incidents: 1,
            ..Feedback::default()
        });
    } else if let Some(delivery) = event.delivery {
        report.sort = Sort::Bounce;
        let said = delivery.smtp_response;
        report.recipients =
            delivery.recipients.into_iter().map(|one| group(one, Action::Delivered, None, said.clone())).collect();
    } else {
        return false;
    }
    true
}

fn bounced(one: Bounced, lasting: bool) -> RecipientReport {
    let status = one.status.as_deref().and_then(EnhancedStatus::parse);
    let action = one.action.as_deref().and_then(Action::parse);
    let fallback = if lasting { Action::Failed } else { status.map_or(Action::Failed, Action::of_status) };
    let said = one.diagnostic_code.map(|code| crate::delivery_status::after_type(&code).to_owned());
    let is_stated = action.is_some();
    RecipientReport { is_stated, ..group(one.email_address, action.unwrap_or(fallback), status, said) }
}

fn group(recipient: String, action: Action, status: Option<EnhancedStatus>, said: Option<String>) -> RecipientReport {
    let known = RecipientReport::of(action);
    RecipientReport { final_recipient: Some(recipient), status, diagnostic: said, ..known }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events() {
        let words = r#"{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[
            {"emailAddress":"ana@example.com","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},
            "mail":{"messageId":"0001","headers":[{"name":"Message-ID","value":"<a@b.example>"}]}} -- footer"#;
        let mut report = Report::default();
        assert!(read(words, &mut report));
        assert_eq!(report.original_message_id.as_deref(), Some("a@b.example"));
        assert_eq!(report.recipients[0].diagnostic.as_deref(), Some("550 5.1.1 user unknown"));
        let complaint = r#"{"eventType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"ana@example.com"}],"complaintFeedbackType":"abuse"},"mail":{}}"#;
        let mut report = Report::default();
        assert!(read(complaint, &mut report));
        assert_eq!(report.feedback.unwrap().recipients, ["ana@example.com"]);
        assert!(!read("{\"a\": 1}", &mut Report::default()));
    }
}
