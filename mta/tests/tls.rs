//! TLS policies through the simulated world: what holds mail back, what lets it go, and what is reported.

mod harness;

use aws_lc_rs::digest::{SHA256, digest};
use harness::*;
use mail::{RecipientState, WaitReason};
use sandbox::{Certificate, Manners, SimOptions, SimWorld, Tls};
use std::io::Read as _;
use std::time::Duration;
use storage::queue;
use storage::tls::{self, ReportState, SessionCount};
use world::{Clock, FetchError, Proof, TlsaRecord};

const HOUR: Duration = Duration::from_secs(3600);
const DOMAIN: &str = "safe.example";
const MX: &str = "mx.safe-mx.example";

fn manners(tls: Tls, certificate: Certificate) -> Manners {
    Manners { tls, certificate, ..Manners::default() }
}

async fn voyage(manners: Manners) -> Voyage {
    Voyage::start(world(vec![provider("safe", 1, manners)]), "jitter_percent = 0").await
}

/// Its day ends an hour after the begin.
async fn evening_voyage() -> Voyage {
    let options = SimOptions { start_ms: SimOptions::default().start_ms + 14 * 3_600_000, ..SimOptions::default() };
    let safe = provider("safe", 1, manners(Tls::Offered, Certificate::Trusted));
    Voyage::start_with(world(vec![safe]), "jitter_percent = 0", options).await
}

fn publish_sts(sim: &SimWorld, id: &str, mode: &str, mx: &str) {
    sim.zone.withdraw(&format!("_mta-sts.{DOMAIN}"));
    sim.zone.publish_txt(&format!("_mta-sts.{DOMAIN}"), &format!("v=STSv1; id={id};"));
    let policy = format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n");
    sim.fetch.publish(&mta::tls::sts::policy_url(DOMAIN), &policy);
}

/// Signs everything that the domain's mail depends on, and says which certificate its server has.
fn publish_tlsa(sim: &SimWorld, usage: u8, matching: u8, data: Vec<u8>) {
    sim.zone.set_proof(DOMAIN, Proof::Secure);
    sim.zone.set_proof("safe-mx.example", Proof::Secure);
    sim.zone.publish_tlsa(&mta::tls::dane::tlsa_name(MX), TlsaRecord { usage, selector: 0, matching, data });
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// Launches one recipient and waits for its first outcome: its state, why it waits, and what was said.
async fn first(voyage: &mut Voyage) -> (RecipientState, Option<WaitReason>, String) {
    voyage.launch(CAMPAIGN, people("fine-", DOMAIN, 1)).await;
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    let log = voyage.log().await;
    (log[0].state, log[0].wait_reason, log[0].reply.clone().unwrap_or_default())
}

async fn delivers(mut voyage: Voyage, tls: &str) {
    let (state, ..) = first(&mut voyage).await;
    assert_eq!(state, RecipientState::Delivered, "{:?}", voyage.log().await);
    voyage.sim.clock.sleep(Duration::from_secs(10)).await;
    let seen = attempt_tls(&voyage).await;
    assert_eq!(seen, [tls], "what the attempt's record says");
    voyage.finish().await;
}

/// What the events say about TLS.
async fn attempt_tls(voyage: &Voyage) -> Vec<String> {
    let recipient = voyage.log().await.remove(0);
    let whose = (recipient.id, recipient.origin.contact());
    let events = voyage.storage.read(move |c| storage::event::of_recipient(c, WS, whose, 10)).await.unwrap();
    events.into_iter().filter_map(|event| event.tls).collect()
}

/// Waits with the reason TLS and these words, and is delivered once `mend` has been done.
async fn waits(mut voyage: Voyage, words: &str, mend: impl FnOnce(&Voyage)) {
    let (state, reason, said) = first(&mut voyage).await;
    assert_eq!((state, reason), (RecipientState::Queued, Some(WaitReason::Tls)), "{said}");
    assert!(said.contains(words), "{said}");
    assert_eq!(voyage.sim.ledger.total().messages, 0, "nothing was said in the clear");
    mend(&voyage);
    voyage.until_done(4 * HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 1\n");
    voyage.finish().await;
}

async fn counted(voyage: &Voyage) -> Vec<SessionCount> {
    let day_ms = voyage.sim.clock.now_ms().div_euclid(86_400_000) * 86_400_000;
    voyage.sim.clock.sleep(Duration::from_secs(61)).await;
    voyage.storage.read(move |c| tls::results(c, day_ms, DOMAIN)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_enforced_policy_with_a_good_certificate_delivers() {
    let mut voyage = voyage(manners(Tls::Offered, Certificate::Trusted)).await;
    publish_sts(&voyage.sim, "1", "enforce", "*.safe-mx.example");
    // Another connection, which resumes the TLS session of the first.
    voyage.launch(storage::CampaignId(2), people("early-", DOMAIN, 1)).await;
    voyage.sim.clock.sleep(Duration::from_secs(600)).await;
    assert_eq!(voyage.sim.ledger.total().tls_messages, 1);
    delivers(voyage, "TLSv1.3 mta-sts").await;
}

#[tokio::test(start_paused = true)]
async fn an_enforced_policy_with_a_bad_certificate_waits() {
    for (certificate, words) in [
        (Certificate::SelfSigned, "the domain enforces MTA-STS: "),
        (Certificate::OtherName, "certificate not valid for name"),
        (Certificate::Expired, "certificate expired"),
    ] {
        let voyage = voyage(manners(Tls::Offered, certificate)).await;
        publish_sts(&voyage.sim, "1", "enforce", MX);
        // The domain takes its policy back; what was fetched holds until the record says that there is a new one.
        waits(voyage, words, |voyage| publish_sts(&voyage.sim, "2", "none", MX)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_enforced_policy_and_starttls_stripped_waits() {
    let voyage = voyage(manners(Tls::None, Certificate::SelfSigned)).await;
    publish_sts(&voyage.sim, "1", "enforce", MX);
    let words = "the domain enforces MTA-STS: TLS is required, and the server does not offer it";
    waits(voyage, words, |voyage| publish_sts(&voyage.sim, "2", "testing", MX)).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_the_policy_does_not_list_waits() {
    let voyage = voyage(manners(Tls::Offered, Certificate::Trusted)).await;
    publish_sts(&voyage.sim, "1", "enforce", "mx.other.example");
    let words = "mx.safe-mx.example is not among the hosts of the domain's MTA-STS policy";
    waits(voyage, words, |voyage| publish_sts(&voyage.sim, "2", "enforce", MX)).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_being_tested_delivers_and_counts_what_would_fail() {
    let mut voyage = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_sts(&voyage.sim, "1", "testing", MX);
    assert_eq!(first(&mut voyage).await.0, RecipientState::Delivered);
    let counts = counted(&voyage).await;
    let failures: Vec<&str> = counts.iter().map(|count| count.key.failure.as_str()).collect();
    assert_eq!(failures, ["certificate-not-trusted"]);
    assert_eq!((counts[0].n, counts[0].key.host.as_str(), counts[0].key.host_ip.as_str()), (1, MX, "127.20.0.1"));
    assert_eq!(counts[0].policy_lines[1], "mode: testing");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_kept_policy_holds_without_record_server_and_memory() {
    let mut voyage = voyage(manners(Tls::None, Certificate::SelfSigned)).await;
    publish_sts(&voyage.sim, "1", "enforce", MX);
    assert_eq!(first(&mut voyage).await.1, Some(WaitReason::Tls));
    // An attacker hides record and policy, and we forget everything in a restart.
    voyage.sim.zone.withdraw(&format!("_mta-sts.{DOMAIN}"));
    let gone = FetchError::Failed { host: "mta-sts.safe.example".to_owned(), why: "no route".to_owned() };
    voyage.sim.fetch.answer(&mta::tls::sts::policy_url(DOMAIN), Err(gone));
    let engine = voyage.engine.take().unwrap();
    engine.stop(Duration::from_secs(30)).await;
    voyage.engine = Some(voyage.begin().await);
    voyage.sim.clock.sleep(Duration::from_secs(8 * 3600)).await;
    let waiting = voyage.log().await;
    assert_eq!((waiting[0].state, waiting[0].wait_reason), (RecipientState::Queued, Some(WaitReason::Tls)));
    // Its max_age is a day: after it nothing is known any more, and mail goes as it would have without.
    voyage.until_done(40 * HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 1\n");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_fetched_is_no_policy_and_not_asked_for_again_at_once() {
    let mut voyage = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_sts(&voyage.sim, "1", "enforce", MX);
    let refused = FetchError::Certificate { host: "mta-sts.safe.example".to_owned(), why: "expired".to_owned() };
    voyage.sim.fetch.answer(&mta::tls::sts::policy_url(DOMAIN), Err(refused));
    assert_eq!(first(&mut voyage).await.0, RecipientState::Delivered);
    assert_eq!(voyage.sim.fetch.gets(), 1);
    let failures: Vec<String> = counted(&voyage).await.into_iter().map(|count| count.key.failure).collect();
    assert_eq!(failures, ["sts-webpki-invalid"]);
    voyage.sim.clock.sleep(Duration::from_secs(330)).await;
    voyage.launch(storage::CampaignId(2), people("more-", DOMAIN, 1)).await;
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    assert_eq!(voyage.sim.fetch.gets(), 1, "ten minutes are not over");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn dane_delivers_to_the_certificate_that_it_names() {
    // By the server's own certificate, self-signed as it is.
    let own = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_tlsa(&own.sim, 3, 1, sha256(&own.sim.chain("safe.example")[0]));
    delivers(own, "TLSv1.3 dane").await;
    // By an authority that nobody else needs to trust; its certificate comes with the chain.
    let anchored = voyage(manners(Tls::Offered, Certificate::Trusted)).await;
    publish_tlsa(&anchored.sim, 2, 1, sha256(&anchored.sim.chain("safe.example")[1]));
    delivers(anchored, "TLSv1.3 dane").await;
    // It goes before MTA-STS, which this server could not satisfy.
    let both = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_tlsa(&both.sim, 3, 0, both.sim.chain("safe.example")[0].to_vec());
    publish_sts(&both.sim, "1", "enforce", "mx.other.example");
    delivers(both, "TLSv1.3 dane").await;
}

#[tokio::test(start_paused = true)]
async fn dane_with_another_certificate_waits() {
    let mend = |voyage: &Voyage| {
        voyage.sim.zone.publish_tlsa(
            &mta::tls::dane::tlsa_name(MX),
            TlsaRecord { usage: 3, selector: 0, matching: 1, data: sha256(&voyage.sim.chain("safe.example")[0]) },
        );
    };
    let wrong = voyage(manners(Tls::Offered, Certificate::Trusted)).await;
    publish_tlsa(&wrong.sim, 3, 1, vec![7; 32]);
    waits(wrong, "the domain uses DANE: no TLSA record matches the server's certificates", mend).await;
    // An anchor vouches for names too (RFC 7672 §3.1.2).
    let other = voyage(manners(Tls::Offered, Certificate::OtherName)).await;
    publish_tlsa(&other.sim, 2, 1, sha256(&other.sim.chain("safe.example")[1]));
    waits(other, "certificate not valid for name", mend).await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_fail_validation_wait() {
    let mend = |voyage: &Voyage| {
        voyage.sim.zone.set_proof(&mta::tls::dane::tlsa_name(MX), Proof::Secure);
        voyage.sim.zone.set_proof("safe-mx.example", Proof::Secure);
        voyage.sim.zone.set_proof(DOMAIN, Proof::Secure);
    };
    for (name, words) in [
        (mta::tls::dane::tlsa_name(MX), "the TLSA records of mx.safe-mx.example fail DNSSEC validation"),
        ("safe-mx.example".to_owned(), "the addresses of mx.safe-mx.example fail DNSSEC validation"),
    ] {
        let voyage = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
        publish_tlsa(&voyage.sim, 3, 1, sha256(&voyage.sim.chain("safe.example")[0]));
        voyage.sim.zone.set_proof(&name, Proof::Bogus);
        waits(voyage, words, mend).await;
    }
    // Where its MX records fail, nobody knows where the mail goes.
    let mut voyage = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_tlsa(&voyage.sim, 3, 1, sha256(&voyage.sim.chain("safe.example")[0]));
    voyage.sim.zone.set_proof(DOMAIN, Proof::Bogus);
    let (state, reason, said) = first(&mut voyage).await;
    assert_eq!((state, reason), (RecipientState::Queued, Some(WaitReason::Dns)), "{said}");
    assert!(said.contains("the MX records of safe.example fail DNSSEC validation"), "{said}");
    mend(&voyage);
    voyage.until_done(4 * HOUR).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn records_of_an_unsigned_mx_set_bind_nobody() {
    let voyage = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_tlsa(&voyage.sim, 3, 1, vec![7; 32]);
    voyage.sim.zone.set_proof(DOMAIN, Proof::Insecure);
    delivers(voyage, "TLSv1.3").await;
}

#[tokio::test(start_paused = true)]
async fn records_that_nobody_can_use_ask_for_encryption_alone() {
    let plain = voyage(manners(Tls::None, Certificate::SelfSigned)).await;
    publish_tlsa(&plain.sim, 1, 1, vec![7; 32]);
    let words = "the domain uses DANE: TLS is required, and the server does not offer it";
    waits(plain, words, |voyage| voyage.sim.zone.withdraw(&mta::tls::dane::tlsa_name(MX))).await;
    let offered = voyage(manners(Tls::Offered, Certificate::SelfSigned)).await;
    publish_tlsa(&offered.sim, 1, 1, vec![7; 32]);
    delivers(offered, "TLSv1.3").await;
}

#[tokio::test(start_paused = true)]
async fn broken_starttls_is_remembered_where_plain_text_may_do() {
    let mut voyage = voyage(manners(Tls::Broken, Certificate::SelfSigned)).await;
    assert_eq!(first(&mut voyage).await.0, RecipientState::Delivered);
    assert_eq!(voyage.sim.ledger.total().connections, 2, "once with, once without");
    voyage.sim.clock.sleep(Duration::from_secs(600)).await;
    voyage.launch(storage::CampaignId(2), people("more-", DOMAIN, 1)).await;
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    assert_eq!(voyage.sim.ledger.total().connections, 3, "not tried again");
    voyage.sim.clock.sleep(HOUR).await;
    voyage.launch(storage::CampaignId(3), people("last-", DOMAIN, 1)).await;
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    assert_eq!(voyage.sim.ledger.total().connections, 5, "tried again after an hour");
    voyage.finish().await;
}

/// A sending domain of ours; reports are sent from it.
async fn with_sending_domain(voyage: &Voyage) {
    let (storage, now_ms) = (voyage.storage.clone(), voyage.sim.clock.now_ms());
    let names = ("sender.example", "bounce.sender.example");
    let write = move |tx: &storage::Transaction<'_>| storage::domain::insert(tx, WS, names, &[], now_ms);
    tokio::task::spawn_blocking(move || storage.main().write_blocking(write)).await.unwrap().unwrap();
}

async fn report(voyage: &Voyage) -> tls::TlsReport {
    voyage.sim.clock.sleep(3 * HOUR).await;
    let reports = voyage.storage.read(|c| tls::reports_of(c, DOMAIN, 0, 10)).await.unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.into_iter().next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_day_is_reported_once_by_mail_and_by_post() {
    let mut voyage = evening_voyage().await;
    publish_sts(&voyage.sim, "1", "enforce", MX);
    let wanted = "v=TLSRPTv1; rua=mailto:tls-reports@safe.example,https://reports.safe.example/v1";
    voyage.sim.zone.publish_txt("_smtp._tls.safe.example", wanted);
    with_sending_domain(&voyage).await;
    assert_eq!(first(&mut voyage).await.0, RecipientState::Delivered);
    let sent = report(&voyage).await;
    assert_eq!(sent.state, ReportState::Sent, "{sent:?}");
    assert_eq!(sent.detail, "to a mailbox at safe.example, https://reports.safe.example");

    let posted = voyage.sim.fetch.posted();
    assert_eq!((posted.len(), posted[0].content_type.as_str()), (1, "application/tlsrpt+gzip"));
    let mut json = String::new();
    flate2::read::GzDecoder::new(&posted[0].body[..]).read_to_string(&mut json).unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    let policy = &read["policies"][0];
    assert_eq!((&policy["policy"]["policy-type"], &policy["policy"]["policy-domain"]), (&"sts".into(), &DOMAIN.into()));
    assert_eq!(policy["summary"]["total-successful-session-count"], 1);
    assert_eq!(policy["summary"]["total-failure-session-count"], 0);

    let messages = voyage.sim.ledger.last_messages();
    let to = |address: &str| messages.iter().filter(|m| m.recipients.iter().any(|to| to == address)).count();
    assert_eq!(to("tls-reports@safe.example"), 1, "brought by our own engine");
    let submitted =
        voyage.storage.read(|c| storage::message::find(c, WS, storage::MessageId(1))).await.unwrap().unwrap();
    assert_eq!((submitted.from_address.as_str(), submitted.live), ("postmaster@sender.example", 0));
    stop(voyage).await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_nobody_wants_or_nobody_can_send() {
    for (wanted, state, words) in [
        (None, ReportState::NotWanted, "_smtp._tls.safe.example has no record that asks for reports"),
        (Some("v=TLSRPTv1; rua=mailto:a@safe.example"), ReportState::NoSender, "there is no sending domain"),
    ] {
        let mut voyage = evening_voyage().await;
        publish_sts(&voyage.sim, "1", "enforce", MX);
        if let Some(wanted) = wanted {
            voyage.sim.zone.publish_txt("_smtp._tls.safe.example", wanted);
        }
        assert_eq!(first(&mut voyage).await.0, RecipientState::Delivered);
        let report = report(&voyage).await;
        assert_eq!(report.state, state);
        assert!(report.detail.contains(words), "{report:?}");
        stop(voyage).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_does_not_answer_is_asked_again_for_a_day() {
    let mut voyage = evening_voyage().await;
    publish_sts(&voyage.sim, "1", "enforce", MX);
    voyage.sim.zone.publish_txt("_smtp._tls.safe.example", "v=TLSRPTv1; rua=https://reports.safe.example/v1");
    let gone = || FetchError::Failed { host: "reports.safe.example".to_owned(), why: "no route".to_owned() };
    voyage.sim.fetch.answer("https://reports.safe.example/v1", Err(gone()));
    with_sending_domain(&voyage).await;
    assert_eq!(first(&mut voyage).await.0, RecipientState::Delivered);
    let tried = report(&voyage).await;
    assert_eq!((tried.state, tried.detail.as_str()), (ReportState::Failed, gone().to_string().as_str()));
    assert!((2..=3).contains(&tried.attempts), "{tried:?}");
    voyage.sim.clock.sleep(24 * HOUR).await;
    let tried = voyage.storage.read(|c| tls::reports_of(c, DOMAIN, 0, 10)).await.unwrap();
    assert_eq!((tried[0].state, tried[0].attempts), (ReportState::GivenUp, 24));
    stop(voyage).await;
}

/// Stops and forgets: reports are recipients that the harness did not launch, so its sum would not hold.
async fn stop(mut voyage: Voyage) {
    voyage.engine.take().unwrap().stop(Duration::from_secs(30)).await;
    let ledger = voyage.storage.read(|c| queue::ledger(c, WS, None)).await;
    assert!(ledger.is_ok_and(|ledger| ledger.holds()));
    let open = voyage.write(|tx| queue::recover(tx, 0)).await;
    assert_eq!(open, queue::Recovered::default());
}
