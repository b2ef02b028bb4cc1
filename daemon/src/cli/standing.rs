//! `packetboat contacts show` and `packetboat contacts streams`.

use super::client::Client;
use super::shaping::encoded;
use super::suppressions::line;
use anyhow::bail;
use api_types::{Contact, ContactStream, ContactStreamsInput, Mailable, Page};

/// Prints which mail a contact can get, and what speaks against it.
pub(crate) async fn show(client: &Client, address: &str) -> anyhow::Result<()> {
    let contact = find(client, address).await?;
    let streams: Page<ContactStream> = client.get(&path(&contact)).await?;
    print!("{}{}", said(&contact), left(&streams.items));
    Ok(())
}

/// Changes which streams a contact gets mail of, where that is asked for, and prints how it stands.
pub(crate) async fn streams(
    client: &Client,
    address: &str,
    leave: Vec<String>,
    rejoin: &[String],
) -> anyhow::Result<()> {
    let contact = find(client, address).await?;
    let path = path(&contact);
    let mut page: Page<ContactStream> = client.get(&path).await?;
    if let Some(unknown) = rejoin.iter().find(|name| page.items.iter().all(|one| one.stream != **name)) {
        bail!("there is no bulk stream {unknown}; `packetboat contacts streams {address}` shows those there are");
    }
    if !leave.is_empty() || !rejoin.is_empty() {
        let kept = page.items.into_iter().filter(|one| one.left_at.is_some()).map(|one| one.stream);
        let mut left: Vec<String> = kept.chain(leave).collect();
        left.retain(|name| !rejoin.contains(name));
        page = client.put(&path, &ContactStreamsInput { left }).await?;
    }
    for one in &page.items {
        let status = one.left_at.as_deref().map_or_else(|| "gets it".to_owned(), |at| format!("left {at}"));
        println!("{:20} {:30} {status}", one.stream, one.title);
    }
    Ok(())
}

async fn find(client: &Client, address: &str) -> anyhow::Result<Contact> {
    let Ok(wanted) = mail::Address::parse(address) else { bail!("{address} is not an address") };
    let found: Vec<Contact> = client.list(&format!("/contacts?q={}", encoded(address))).await?;
    let is_it = |contact: &Contact| {
        mail::Address::parse(&contact.email).is_ok_and(|email| email.normalized() == wanted.normalized())
    };
    match found.into_iter().find(is_it) {
        Some(contact) => Ok(contact),
        None => {
            bail!("{address} is no contact; `packetboat suppressions list {address}` says whether it is suppressed")
        }
    }
}

fn path(contact: &Contact) -> String {
    format!("/contacts/{}/streams", contact.id)
}

/// The streams that it wants no mail of.
fn left(streams: &[ContactStream]) -> String {
    let line = |one: &ContactStream| {
        let at = one.left_at.as_deref()?;
        Some(format!("  wants no mail of the stream {} ({}) since {at}\n", one.stream, one.title))
    };
    streams.iter().filter_map(line).collect()
}

fn said(contact: &Contact) -> String {
    let standing = &contact.standing;
    let gets = match standing.gets {
        Mailable::All => "gets every mail",
        Mailable::SingleMail => "gets single mail, no campaigns",
        Mailable::Nothing => "gets no mail",
    };
    let engaged = contact.engaged_at.as_deref().map_or_else(|| "not known".to_owned(), str::to_owned);
    let mut out = format!("{} (contact {}) {gets}.\n", contact.email, contact.id);
    out.push_str(&format!("Last engaged: {engaged}. Consent: {}\n", contact.consent_source));
    if standing.soft_bounces > 0 {
        let (n, days) = (standing.soft_bounces, standing.soft_bounce_days);
        let end = match standing.soft_bounces_max {
            0 => String::new(),
            max => format!("; {max} suppress it"),
        };
        out.push_str(&format!("Refused for now {n} times in {days} days{end}.\n"));
    }
    for entry in &standing.entries {
        out.push_str(&format!("  {}\n", line(entry)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::{ContactStanding, Suppression, SuppressionCovers, SuppressionReason};
    use expect_test::expect;

    #[test]
    fn what_is_said() {
        let entry = Suppression {
            id: 3,
            address: Some("ana@gull.example".to_owned()),
            reason: SuppressionReason::Unsubscribe,
            covers: SuppressionCovers::Marketing,
            global: false,
            origin: "Spring".to_owned(),
            created_by: None,
            created_at: "2026-11-01T00:00:00Z".to_owned(),
            expires_at: None,
            ended: false,
            from: None,
        };
        let standing = ContactStanding {
            gets: Mailable::SingleMail,
            entries: vec![entry],
            soft_bounces: 2,
            soft_bounces_max: 3,
            soft_bounce_days: 30,
        };
        let contact = Contact {
            id: 7,
            email: "Ana@gull.example".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            attributes: std::collections::BTreeMap::new(),
            tags: Vec::new(),
            consent_source: "import a.csv".to_owned(),
            engaged_at: None,
            suppressed: None,
            standing,
            created_at: String::new(),
            updated_at: String::new(),
        };
        expect![[r#"
            Ana@gull.example (contact 7) gets single mail, no campaigns.
            Last engaged: not known. Consent: import a.csv
            Refused for now 2 times in 30 days; 3 suppress it.
              ana@gull.example                         unsubscribe   marketing        2026-11-01T00:00:00Z  Spring
        "#]]
        .assert_eq(&said(&contact));
    }
}
