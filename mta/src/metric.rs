//! Names of the metrics, and what they mean. Labels are source, provider and class; never a recipient.

/// Declares names with their sentences, and `describe`, which tells them to the recorder.
macro_rules! metrics_named {
    ($($kind:ident $name:ident = $text:literal: $sentence:literal;)*) => {
        $(#[doc = $sentence] pub const $name: &str = $text;)*

        /// Tells the recorder what each metric means. Called once, by the engine's start.
        pub(crate) fn describe() {
            $(metrics_named!(@$kind $name $sentence);)*
        }
    };
    (@counter $name:ident $sentence:literal) => { metrics::describe_counter!($name, $sentence) };
    (@gauge $name:ident $sentence:literal) => { metrics::describe_gauge!($name, $sentence) };
    (@histogram $name:ident $sentence:literal) => { metrics::describe_histogram!($name, $sentence) };
}

metrics_named! {
    counter ATTEMPTS = "packetboat_attempts_total": "Outcomes of attempts, by source, provider and outcome.";
    counter CONNECTIONS = "packetboat_connections_total": "Connections opened, by source and outcome.";
    gauge CONNECTIONS_OPEN = "packetboat_connections_open": "Connections open now, by source.";
    gauge SOURCE_OUT = "packetboat_source_out": "1 while this host does not have the source's address, else 0.";
    gauge IN_MEMORY = "packetboat_recipients_in_memory": "Recipients claimed and not yet settled.";
    gauge LANES = "packetboat_lanes": "Lanes that exist now.";
    histogram ATTEMPT_SECONDS = "packetboat_attempt_seconds": "Time from MAIL FROM to the answer, by source.";
    histogram MAKE_SECONDS = "packetboat_make_seconds": "Time to render and sign one message.";
    histogram COMMIT_ENTRIES = "packetboat_commit_entries": "Marks and outcomes that shared one commit.";
    counter REPORTS = "packetboat_inbound_reports_total": "Mail that came in, by the purpose of its address and by whether it was matched.";
    counter FALSE_PATHS = "packetboat_inbound_false_paths_total": "Mail to addresses that look like ours and are not good, by why: forged or expired.";
    counter REPLIES = "packetboat_replies_total": "Answers to reply addresses, by what was done.";
    counter FIGURES = "packetboat_figures_reports_total": "DMARC, TLS and authentication failure reports about our domains, by kind: kept, known already, or beyond the day's bound.";
    counter NOTICES = "packetboat_delivery_reports_total": "Reports (DSN) to submitters: sent, over the limit, or not sent to a return path of ours.";
    counter SUBMISSIONS = "packetboat_submissions_total": "Messages handed in by SMTP: accepted, refused, or put off (later).";
    counter LOGINS = "packetboat_submission_logins_total": "Logins for submission, right and wrong.";
    gauge SUBMISSION_SESSIONS = "packetboat_submission_sessions": "Submission sessions open now.";
    gauge LANES_STALLED = "packetboat_lanes_stalled": "Lanes with work that make no progress.";
    counter CONVERSATIONS_LOST = "packetboat_conversations_lost_total": "Conversations not kept, since too many came at once.";
    counter EVENTS_MOVED = "packetboat_events_moved_total": "Events moved from the outbox.";
}
