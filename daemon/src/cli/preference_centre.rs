//! `packetboat preference-centre`.

use super::client::Client;
use super::hygiene::Switch;
use api_types::{BulkStream, Done, PageLanguage, PreferenceCentre, PreferenceCentreState, StreamOffer};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum PreferenceCentreCommand {
    /// Shows what is set.
    Show,
    /// Changes what is given and leaves the rest; an empty text brings our own back.
    Set(Box<Changes>),
    /// Replaces the logo by a PNG, JPEG or WebP of at most 200 KB.
    Logo {
        /// The picture.
        file: PathBuf,
    },
    /// Takes back everything that was set, the logo too.
    Reset,
}

#[derive(Args)]
pub(crate) struct Changes {
    /// Language of the words that are not set.
    #[arg(long, value_enum)]
    language: Option<LanguageWord>,
    /// The heading.
    #[arg(long)]
    title: Option<String>,
    /// What stands below the heading.
    #[arg(long)]
    introduction: Option<String>,
    /// What is said after unsubscribing.
    #[arg(long)]
    unsubscribed_text: Option<String>,
    /// What is said after saving.
    #[arg(long)]
    saved_text: Option<String>,
    /// Colour of buttons, such as #2563EB.
    #[arg(long)]
    accent: Option<String>,
    /// Colour behind everything.
    #[arg(long)]
    page: Option<String>,
    /// Colour of the card.
    #[arg(long)]
    card: Option<String>,
    /// Whether a mail confirms every change.
    #[arg(long, value_enum)]
    confirmation: Option<Switch>,
    /// Its subject.
    #[arg(long)]
    confirmation_subject: Option<String>,
    /// What it says.
    #[arg(long)]
    confirmation_text: Option<String>,
    /// Lets people choose a stream, under a title; may be repeated.
    #[arg(long, value_name = "STREAM=TITLE", value_parser = offer)]
    offer: Vec<(String, String)>,
    /// Lets people choose a stream no more; who left it still gets no mail of it. May be repeated.
    #[arg(long, value_name = "STREAM")]
    withdraw: Vec<String>,
}

fn offer(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(stream, title)| (stream.trim().to_owned(), title.trim().to_owned()));
    pair.ok_or_else(|| "write the stream and what people call it, such as hints=Hints and tips".to_owned())
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum LanguageWord {
    /// English.
    En,
    /// Portuguese.
    Pt,
}

pub(crate) async fn run(client: &Client, command: PreferenceCentreCommand) -> anyhow::Result<()> {
    match command {
        PreferenceCentreCommand::Show => show(&client.get("/preference-centre").await?),
        PreferenceCentreCommand::Set(changes) => {
            let old: PreferenceCentreState = client.get("/preference-centre").await?;
            show(&client.put("/preference-centre", &changed(old.settings, *changes)).await?);
        }
        PreferenceCentreCommand::Logo { file } => show(&client.upload("/preference-centre/logo", &file).await?),
        PreferenceCentreCommand::Reset => {
            let done: Done = client.delete("/preference-centre").await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

fn changed(old: PreferenceCentre, new: Changes) -> PreferenceCentre {
    let language = |word| match word {
        LanguageWord::En => PageLanguage::En,
        LanguageWord::Pt => PageLanguage::Pt,
    };
    PreferenceCentre {
        language: new.language.map_or(old.language, language),
        title: new.title.unwrap_or(old.title),
        introduction: new.introduction.unwrap_or(old.introduction),
        unsubscribed_text: new.unsubscribed_text.unwrap_or(old.unsubscribed_text),
        saved_text: new.saved_text.unwrap_or(old.saved_text),
        accent: new.accent.unwrap_or(old.accent),
        page: new.page.unwrap_or(old.page),
        card: new.card.unwrap_or(old.card),
        confirmation: new.confirmation.map_or(old.confirmation, |switch| switch == Switch::On),
        confirmation_subject: new.confirmation_subject.unwrap_or(old.confirmation_subject),
        confirmation_text: new.confirmation_text.unwrap_or(old.confirmation_text),
        streams: offers(old.streams, new.offer, &new.withdraw),
    }
}

/// The streams on offer: an old one keeps its place and its description.
fn offers(mut old: Vec<StreamOffer>, new: Vec<(String, String)>, withdrawn: &[String]) -> Vec<StreamOffer> {
    for (stream, title) in new {
        match old.iter_mut().find(|offer| offer.stream == stream) {
            Some(offer) => offer.title = title,
            None => old.push(StreamOffer { stream, title, description: String::new() }),
        }
    }
    old.retain(|offer| !withdrawn.contains(&offer.stream));
    old
}

fn show(state: &PreferenceCentreState) {
    let set = &state.settings;
    let language = match set.language {
        PageLanguage::En => "en",
        PageLanguage::Pt => "pt",
    };
    let confirmation = if set.confirmation { "on" } else { "off" };
    for (name, value) in [
        ("language", language),
        ("title", &set.title),
        ("introduction", &set.introduction),
        ("unsubscribed text", &set.unsubscribed_text),
        ("saved text", &set.saved_text),
        ("accent", &set.accent),
        ("page", &set.page),
        ("card", &set.card),
        ("logo", state.logo.as_deref().unwrap_or_default()),
        ("confirmation", confirmation),
        ("confirmation subject", &set.confirmation_subject),
        ("confirmation text", &set.confirmation_text),
    ] {
        println!("{name:21} {}", if value.is_empty() { "(ours)" } else { value });
    }
    for BulkStream { stream, left } in &state.streams {
        let title = set.streams.iter().find(|offer| offer.stream == *stream).map(|offer| offer.title.as_str());
        let offered = title.map_or_else(|| "not offered".to_owned(), |title| format!("offered as “{title}”"));
        println!("stream {stream:14} {offered}, {left} left");
    }
    for contrast in &state.contrasts {
        println!("contrast of {}: {}", contrast.what, contrast.ratio);
    }
}
