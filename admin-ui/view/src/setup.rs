//! The first steps in an empty workspace, each done or not by what is really there.

/// What the workspace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Has {
    /// A sending domain with all records found.
    pub verified_domain: bool,
    /// A contact.
    pub contacts: bool,
    /// A template.
    pub templates: bool,
    /// A launched campaign.
    pub campaigns: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub title: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Where.
    pub href: &'static str,
    /// Whether it is done.
    pub done: bool,
}

/// The steps in order; none when all is done.
#[must_use]
pub fn steps(has: Has) -> Vec<Step> {
    let steps = vec![
        Step {
            title: "Add the domain you send from",
            reason: "Receivers look up its records to know that the mail is yours.",
            href: "/domains",
            done: has.verified_domain,
        },
        Step {
            title: "Import your contacts",
            reason: "A CSV file; you see every row that could not be read.",
            href: "/contacts/import",
            done: has.contacts,
        },
        Step {
            title: "Write a template",
            reason: "With merge tags, previewed as each contact gets it.",
            href: "/templates/new",
            done: has.templates,
        },
        Step {
            title: "Send a campaign",
            reason: "A checklist tells what is missing before anything leaves.",
            href: "/campaigns/new",
            done: has.campaigns,
        },
    ];
    if steps.iter().all(|step| step.done) { Vec::new() } else { steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_vanish_when_all_are_done() {
        assert_eq!(steps(Has::default()).len(), 4);
        let all = Has { verified_domain: true, contacts: true, templates: true, campaigns: true };
        assert!(steps(all).is_empty());
        assert!(steps(Has { campaigns: false, ..all })[0].done);
    }
}
