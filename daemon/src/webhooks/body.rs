//! What requests to webhooks say.

use crate::text::time;
use api_types::{WebhookData, WebhookEvent, WebhookType};
use serde_json::value::RawValue;
use storage::WorkspaceId;
use storage::webhook::Wish;
use storage::webhook::happening::Happening;

/// Whether a webhook asked for it, by what is not in its types.
pub(super) fn is_asked(wish: &Wish, happening: &Happening) -> bool {
    let campaign = wish.campaign_id.is_none_or(|wanted| happening.event.campaign_id == Some(wanted));
    let tag = wish.tag.as_ref().is_none_or(|wanted| happening.tags.contains(wanted));
    let stream = wish.stream.as_ref().is_none_or(|wanted| happening.stream.as_ref() == Some(wanted));
    campaign && tag && stream
}

/// What is told of an event, in JSON.
pub(super) fn data(happening: Happening) -> serde_json::Result<String> {
    let mut event = happening.event;
    let topic = if is_of_topic(happening.kind) { event.text.take() } else { None };
    serde_json::to_string(&WebhookData {
        recipient_id: event.recipient_id.map(|id| id.0),
        address: happening.address,
        message_id: happening.message_id.map(|id| id.0),
        header_id: happening.header_id,
        tags: happening.tags,
        stream: happening.stream,
        campaign_id: event.campaign_id.map(|id| id.0),
        campaign: happening.campaign,
        contact_id: event.contact_id.map(|id| id.0),
        topic,
        reply_code: event.reply_code,
        reply_status: event.enhanced,
        reply_text: event.text,
        mx: event.mx,
        class: event.class.map(|class| class.as_str().to_owned()),
        source: event.source,
        provider: event.provider,
        attempt: event.attempt,
    })
}

/// Whether the text of such an event names what was left or joined.
fn is_of_topic(kind: WebhookType) -> bool {
    use WebhookType::{ContactJoinedList, ContactJoinedStream, ContactLeftList, ContactLeftStream};
    matches!(kind, ContactJoinedList | ContactLeftList | ContactJoinedStream | ContactLeftStream)
}

/// A whole body: the same bytes whenever the same is sent.
pub(super) fn body(
    message_id: &str,
    (kind, at_ms): (WebhookType, i64),
    workspace: WorkspaceId,
    data: String,
) -> serde_json::Result<String> {
    serde_json::to_string(&WebhookEvent {
        id: message_id.to_owned(),
        kind,
        at: time(at_ms),
        workspace_id: workspace.0,
        data: RawValue::from_string(data)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use storage::event::{EventRow, Kind};
    use storage::{CampaignId, MessageId, RecipientId};

    fn happening() -> Happening {
        let event = EventRow {
            id: 7,
            at_ms: 1_700_000_000_007,
            kind: Kind::Bounced,
            recipient_id: Some(RecipientId(31)),
            campaign_id: None,
            contact_id: None,
            source: Some("mx1".to_owned()),
            site: Some("mx.albatross.example".to_owned()),
            provider: Some("Albatross".to_owned()),
            mx: Some("mx1.albatross.example".to_owned()),
            class: Some(mail::BounceClass::BadMailbox),
            reply_code: Some(550),
            enhanced: Some("5.1.1".to_owned()),
            text: Some("no \"such\" user".to_owned()),
            attempt: Some(1),
            took_ms: Some(12),
            tls: None,
            actor: None,
        };
        Happening {
            event,
            kind: WebhookType::MessageBounced,
            address: Some("bo@albatross.example".to_owned()),
            stream: Some("transactional".to_owned()),
            message_id: Some(MessageId(4)),
            header_id: Some("a@b.example".to_owned()),
            tags: vec!["order".to_owned()],
            campaign: None,
        }
    }

    #[test]
    fn a_bounce() {
        let data = data(happening()).unwrap();
        let about = (WebhookType::MessageBounced, 1_700_000_000_007);
        let body = body("evt-7", about, WorkspaceId::MAIN, data).unwrap();
        expect![[r#"{"id":"evt-7","type":"message.bounced","at":"2023-11-14T22:13:20.007Z","workspace_id":1,"data":{"recipient_id":31,"address":"bo@albatross.example","message_id":4,"header_id":"a@b.example","tags":["order"],"stream":"transactional","reply_code":550,"reply_status":"5.1.1","reply_text":"no \"such\" user","mx":"mx1.albatross.example","class":"bad_mailbox","source":"mx1","provider":"Albatross","attempt":1}}"#]].assert_eq(&body);
    }

    #[test]
    fn filters() {
        let wish = |campaign: Option<i64>, tag: Option<&str>, stream: Option<&str>| Wish {
            name: String::new(),
            url: String::new(),
            types: Vec::new(),
            campaign_id: campaign.map(CampaignId),
            tag: tag.map(str::to_owned),
            stream: stream.map(str::to_owned),
        };
        for (wish, expected) in [
            (wish(None, None, None), true),
            (wish(None, Some("order"), Some("transactional")), true),
            (wish(None, Some("orders"), None), false),
            (wish(None, None, Some("bulk")), false),
            (wish(Some(2), None, None), false),
        ] {
            assert_eq!(is_asked(&wish, &happening()), expected, "{wish:?}");
        }
        let of_campaign =
            Happening { event: EventRow { campaign_id: Some(CampaignId(2)), ..happening().event }, ..happening() };
        assert!(is_asked(&wish(Some(2), None, None), &of_campaign));
    }
}
