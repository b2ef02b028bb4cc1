//! What a column probably is, by its heading and its values. Headings in English, Portuguese and Spanish.

const EMAIL: [&str; 12] = [
    "email",
    "emailaddress",
    "mail",
    "mailaddress",
    "address",
    "endereco",
    "enderecodeemail",
    "correioeletronico",
    "correio",
    "correo",
    "correoelectronico",
    "subscriberemail",
];
const FIRST_NAME: [&str; 10] =
    ["firstname", "first", "givenname", "forename", "name", "nome", "primeironome", "nomeproprio", "nombre", "fname"];
const LAST_NAME: [&str; 9] =
    ["lastname", "last", "surname", "familyname", "sobrenome", "apelido", "ultimonome", "apellidos", "lname"];
/// When a former tool last saw an opening, a click, or either.
const ENGAGED_AT: [&str; 21] = [
    "engagedat",
    "lastengaged",
    "lastengagedat",
    "lastengagement",
    "lastopen",
    "lastopened",
    "lastopenedat",
    "lastopendate",
    "lastopentime",
    "lastclick",
    "lastclicked",
    "lastclickedat",
    "lastclickdate",
    "lastclicktime",
    "lastactivity",
    "lastactive",
    "ultimaabertura",
    "ultimoclique",
    "ultimaatividade",
    "ultimaapertura",
    "ultimoclic",
];
const TAGS: [&str; 6] = ["tags", "tag", "labels", "etiquetas", "groups", "grupos"];

/// A target for each column: `email`, `first_name`, `last_name`, `tags`, `engaged_at`, or `attribute:NAME`.
pub(super) fn propose(names: &[String], sample: &[Vec<String>]) -> Vec<String> {
    let mut targets: Vec<String> = names.iter().map(|name| by_heading(name)).collect();
    for target in ["email", "first_name", "last_name", "tags"] {
        only_first(&mut targets, names, target);
    }
    let addresses = |n: usize| {
        let values = sample.iter().filter_map(|row| row.get(n));
        values.filter(|value| mail::Address::parse(value.trim()).is_ok()).count()
    };
    let proposed = targets.iter().position(|target| target == "email");
    if proposed.is_none_or(|n| addresses(n) == 0) {
        // No heading says it, or its column holds something else: the column with the most addresses.
        let best = (0..names.len()).max_by_key(|n| addresses(*n)).filter(|n| addresses(*n) > 0);
        if let Some(best) = best {
            if let Some(wrong) = proposed {
                targets[wrong] = attribute(&names[wrong]);
            }
            targets[best] = "email".to_owned();
        }
    }
    targets
}

/// Of several columns with one meaning the first has it; the others keep their values under their own names.
fn only_first(targets: &mut [String], names: &[String], target: &str) {
    let mut seen = false;
    for (found, name) in targets.iter_mut().zip(names) {
        if found == target {
            if seen {
                *found = attribute(name);
            }
            seen = true;
        }
    }
}

fn by_heading(name: &str) -> String {
    let key: String = plain(name).chars().filter(char::is_ascii_alphanumeric).collect();
    let known: [(&str, &[&str]); 5] = [
        ("email", &EMAIL),
        ("first_name", &FIRST_NAME),
        ("last_name", &LAST_NAME),
        ("tags", &TAGS),
        ("engaged_at", &ENGAGED_AT),
    ];
    for (target, words) in known {
        if words.contains(&key.as_str()) {
            return target.to_owned();
        }
    }
    attribute(name)
}

/// `attribute:` and the name as a field's name: lower case, words joined by underscores.
fn attribute(name: &str) -> String {
    let mut field = String::new();
    for c in plain(name).chars() {
        if c.is_ascii_alphanumeric() {
            field.push(c);
        } else if !field.is_empty() && !field.ends_with('_') {
            field.push('_');
        }
    }
    let field = field.trim_end_matches('_');
    if field.is_empty() {
        // Nothing of the heading can stand in a field's name.
        return String::new();
    }
    let digit_first = if field.starts_with(|c: char| c.is_ascii_digit()) { "field_" } else { "" };
    let field: String = format!("{digit_first}{field}").chars().take(60).collect();
    format!("attribute:{field}")
}

/// Lower case, without the accents of the languages whose headings we know.
fn plain(text: &str) -> String {
    let base = |c| match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'ê' | 'è' | 'ë' => 'e',
        'í' | 'ì' | 'ï' => 'i',
        'ó' | 'ô' | 'õ' | 'ò' | 'ö' => 'o',
        'ú' | 'ù' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    };
    text.trim().to_lowercase().chars().map(base).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headings: &[&str], row: &[&str], expected: &[&str]) {
        let names: Vec<String> = headings.iter().map(|name| (*name).to_owned()).collect();
        let row: Vec<String> = row.iter().map(|value| (*value).to_owned()).collect();
        assert_eq!(propose(&names, &[row]), expected, "{headings:?}");
    }

    #[test]
    fn proposals() {
        let row = ["a@x.example", "Ana", "Sá", "x"];
        check(&["E-mail", "First Name", "Surname", "Tags"], &row, &["email", "first_name", "last_name", "tags"]);
        check(
            &["Endereço de e-mail", "Nome", "Apelido", "Código Postal"],
            &row,
            &["email", "first_name", "last_name", "attribute:codigo_postal"],
        );
        check(&["Email", "Name", "First name", "??"], &row, &["email", "first_name", "attribute:first_name", ""]);
        // A heading that says "address" over streets does not make them mail addresses.
        check(&["Address", "Contact"], &["1 High St", "a@x.example"], &["attribute:address", "email"]);
        check(&["column 1", "column 2"], &["Ana", "a@x.example"], &["attribute:column_1", "email"]);
        check(&["x"], &["y"], &["attribute:x"]);
        // Both count: the later moment wins.
        check(
            &["E-mail", "Last opened", "last_click_date", "Última abertura"],
            &["a@x.example", "2026-01-02", "", ""],
            &["email", "engaged_at", "engaged_at", "engaged_at"],
        );
    }
}
