//! The file of contacts: people of the simulated internet, some who did not ask for the newsletter, some broken rows.

use sandbox::{Person, Providers};

/// The same people every time.
const SEED: u64 = 1867;
/// Rows that cannot be imported: what stands in them, as the CSV has it.
const BROKEN: [&str; 5] = [
    "not-an-address,Nobody,Known,Lisboa,basic,newsletter",
    ",Without,Address,Porto,basic,newsletter",
    "two@at@signs.example,Two,Signs,Faro,basic,newsletter",
    "blank in@address.example,Blank,Inside,Braga,basic,newsletter",
    "dots..in@a..row.example,Dots,Row,Evora,basic,newsletter",
];
const CITIES: [&str; 6] = ["Lisboa", "Porto", "Faro", "Braga", "Coimbra", "Évora"];

/// A file to import, and what is known about it.
pub struct Contacts {
    /// The CSV.
    pub csv: String,
    /// Who the campaign goes to.
    pub recipients: Vec<Person>,
    /// All good rows.
    pub good_rows: usize,
    /// Lines of the broken rows, the heading being line 1.
    pub broken_lines: Vec<u64>,
}

/// Makes a file with so many people who want the newsletter.
pub fn contacts(providers: &Providers, recipients: usize) -> Contacts {
    let others = recipients / 20 + 1;
    let people: Vec<Person> = providers.people(recipients + others, SEED).collect();
    let mut csv = String::from("email,first_name,last_name,city,plan,tags\n");
    let (mut line, mut broken_lines) = (1, Vec::new());
    let every = (people.len() / BROKEN.len()).max(1);
    for (n, person) in people.iter().enumerate() {
        if let Some(broken) = n.is_multiple_of(every).then(|| BROKEN.get(n / every)).flatten() {
            line += 1;
            broken_lines.push(line);
            csv.push_str(broken);
            csv.push('\n');
        }
        line += 1;
        let tag = if n < recipients { "newsletter" } else { "customer" };
        let plan = if n.is_multiple_of(4) { "pro" } else { "basic" };
        let city = CITIES[n % CITIES.len()];
        csv.push_str(&format!("{},{},{},{city},{plan},{tag}\n", person.address, person.first_name, person.last_name));
    }
    let good_rows = people.len();
    let recipients = people.into_iter().take(recipients).collect();
    Contacts { csv, recipients, good_rows, broken_lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_rows_are_where_they_are_said_to_be() {
        let contacts = contacts(&Providers::builtin(), 100);
        let lines: Vec<&str> = contacts.csv.lines().collect();
        assert_eq!((contacts.recipients.len(), contacts.good_rows, lines.len()), (100, 106, 1 + 106 + BROKEN.len()));
        let broken: Vec<&str> = contacts.broken_lines.iter().map(|line| lines[*line as usize - 1]).collect();
        assert_eq!(broken, BROKEN);
    }
}
