//! The words of the pages for recipients, language by language. `{workspace}`, `{address}` and `{date}` stand for theirs.

use api_types::PageLanguage;

/// The words of one language.
pub(super) struct Words {
    /// BCP 47.
    pub lang: &'static str,
    pub unsubscribe: &'static str,
    pub unsubscribe_ask: &'static str,
    pub nothing_changes: &'static str,
    pub unsubscribed: &'static str,
    pub unsubscribed_text: &'static str,
    pub mistake: &'static str,
    pub again: &'static str,
    pub back: &'static str,
    pub back_text: &'static str,
    pub choose: &'static str,
    pub preferences: &'static str,
    pub for_address: &'static str,
    pub mail: &'static str,
    pub wanted: &'static str,
    pub pause: &'static str,
    pub paused_until: &'static str,
    pub unwanted: &'static str,
    pub by_silence: &'static str,
    pub otherwise: &'static str,
    pub lists: &'static str,
    pub save: &'static str,
    pub saved: &'static str,
    pub confirmation_subject: &'static str,
    pub confirmation_text: &'static str,
    pub confirmation_link: &'static str,
}

const ENGLISH: Words = Words {
    lang: "en",
    unsubscribe: "Unsubscribe",
    unsubscribe_ask: "Do you want to receive no more mail from {workspace} at {address}?",
    nothing_changes: "If you do nothing, nothing changes.",
    unsubscribed: "You are unsubscribed",
    unsubscribed_text: "You will receive no more mail from {workspace}. You can close this page.",
    mistake: "Was it a mistake?",
    again: "Subscribe again",
    back: "You are subscribed again",
    back_text: "You will receive the mail of {workspace} as before. You can close this page.",
    choose: "Choose what you receive",
    preferences: "What you receive",
    for_address: "For {address}, from {workspace}.",
    mail: "Newsletters and offers",
    wanted: "Yes, send them to me",
    pause: "Not for the next 30 days",
    paused_until: "Not until {date}",
    unwanted: "No, send me none",
    by_silence: "We have stopped them, since it seemed that you do not read them.",
    otherwise: "Mail to this address is also stopped for another reason. Answer one of our mails if you want it back.",
    lists: "Topics",
    save: "Save",
    saved: "Your choice is saved.",
    confirmation_subject: "Your choice is saved",
    confirmation_text: "What you receive from {workspace} at this address was changed, as you asked.",
    confirmation_link: "Here you can see it, and change it again:",
};

const PORTUGUESE: Words = Words {
    lang: "pt",
    unsubscribe: "Cancelar a subscrição",
    unsubscribe_ask: "Quer deixar de receber mensagens de {workspace} em {address}?",
    nothing_changes: "Se não fizer nada, nada muda.",
    unsubscribed: "Subscrição cancelada",
    unsubscribed_text: "Não receberá mais mensagens de {workspace}. Pode fechar esta página.",
    mistake: "Foi engano?",
    again: "Subscrever de novo",
    back: "Subscrição retomada",
    back_text: "Receberá as mensagens de {workspace} como antes. Pode fechar esta página.",
    choose: "Escolher o que recebe",
    preferences: "O que recebe",
    for_address: "Para {address}, de {workspace}.",
    mail: "Novidades e ofertas",
    wanted: "Sim, quero recebê-las",
    pause: "Não durante os próximos 30 dias",
    paused_until: "Não até {date}",
    unwanted: "Não quero receber nenhuma",
    by_silence: "Deixámos de as enviar, porque parecia que não as lia.",
    otherwise: "O envio para este endereço está parado também por outra razão. Responda a uma das nossas mensagens se as quiser de volta.",
    lists: "Temas",
    save: "Guardar",
    saved: "A sua escolha foi guardada.",
    confirmation_subject: "A sua escolha foi guardada",
    confirmation_text: "O que recebe de {workspace} neste endereço foi alterado, como pediu.",
    confirmation_link: "Aqui pode vê-lo e alterá-lo de novo:",
};

/// The words of a language.
pub(super) fn words(language: PageLanguage) -> &'static Words {
    match language {
        PageLanguage::En => &ENGLISH,
        PageLanguage::Pt => &PORTUGUESE,
    }
}
