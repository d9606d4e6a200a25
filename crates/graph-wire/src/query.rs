//! `$select` and `$expand` of reads.

use serde_json::Value;
use url::form_urlencoded;

use crate::InvalidRequest;

/// What a read asks for beyond the resource itself.
///
/// The grammar is the part of OData's (URL conventions, 5.1) that clients of this API use: names separated by commas,
/// and in `$expand` after a name options in brackets, of which `$select` counts. Names are matched in any case.
/// Options other than these two are ignored, and so are names of members that are not there. Of two options with one
/// name the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// `None` for everything.
    select: Option<Vec<String>>,
    expand: Vec<(String, ReadOptions)>,
}

impl ReadOptions {
    /// Reads the query of a URL, still percent-encoded and without the question mark.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest::QueryOption`] where `$select` or `$expand` does not follow the grammar or names too much.
    pub fn from_query(query: &str) -> Result<Self, InvalidRequest> {
        let mut options = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            options.take(&name, &value)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), InvalidRequest> {
        let bare = name.strip_prefix('$').unwrap_or(name);
        if bare.eq_ignore_ascii_case("select") {
            self.select = parse_select(value)?;
        } else if bare.eq_ignore_ascii_case("expand") {
            self.expand = parse_expand(value)?;
        }
        Ok(())
    }

    /// The options of an expanded member, if it is to be expanded.
    pub fn expanded(&self, name: &str) -> Option<&ReadOptions> {
        self.expand
            .iter()
            .find(|(expanded, _)| expanded.eq_ignore_ascii_case(name))
            .map(|(_, options)| options)
    }

    /// Leaves of an object what is selected, what is expanded, and the annotations.
    pub(crate) fn apply(&self, mut value: Value) -> Value {
        if let (Some(select), Some(members)) = (&self.select, value.as_object_mut()) {
            members.retain(|name, _| {
                name.starts_with('@')
                    || self.expanded(name).is_some()
                    || select.iter().any(|selected| selected.eq_ignore_ascii_case(name))
            });
        }
        value
    }

    /// The selection as `@odata.context` repeats it: `(id,state)`, or nothing.
    pub(crate) fn context(&self) -> String {
        self.select.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default()
    }
}

/// Most names in one option. Arbitrary, more than the largest type has members.
const MAX_NAMES: usize = 64;

fn parse_select(text: &str) -> Result<Option<Vec<String>>, InvalidRequest> {
    let invalid = InvalidRequest::QueryOption { option: "$select", expected: "names separated by commas" };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut names = Vec::new();
    let mut is_everything = false;
    for item in text.split(',') {
        let item = item.trim();
        if item == "*" {
            is_everything = true;
            continue;
        }
        // Of a path such as `source/identity` the whole first member is shown.
        let mut segments = item.split('/');
        let first = segments.next().unwrap_or_default();
        if !is_name(first) || !segments.all(is_name) || names.len() >= MAX_NAMES {
            return Err(invalid);
        }
        names.push(first.to_owned());
    }
    Ok(if is_everything { None } else { Some(names) })
}

fn parse_expand(text: &str) -> Result<Vec<(String, ReadOptions)>, InvalidRequest> {
    let invalid = InvalidRequest::QueryOption {
        option: "$expand",
        expected: "names separated by commas, with options in brackets",
    };
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut expanded = Vec::new();
    for item in split_outside_brackets(text, ',').ok_or_else(|| invalid.clone())? {
        let (name, options) = match item.trim().split_once('(') {
            None => (item.trim(), ""),
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or_else(|| invalid.clone())?),
        };
        if !is_name(name) || expanded.len() >= MAX_NAMES {
            return Err(invalid);
        }
        expanded.push((name.to_owned(), parse_nested(options).ok_or_else(|| invalid.clone())??));
    }
    Ok(expanded)
}

/// Reads `$select=id,status;$top=1`; what is expanded within an expanded member is ignored.
fn parse_nested(text: &str) -> Option<Result<ReadOptions, InvalidRequest>> {
    let mut options = ReadOptions::default();
    for option in split_outside_brackets(text, ';')? {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if name.trim().trim_start_matches('$').eq_ignore_ascii_case("select") {
            match parse_select(value) {
                Ok(select) => options.select = select,
                Err(error) => return Some(Err(error)),
            }
        }
    }
    Some(Ok(options))
}

/// Splits where no bracket is open; `None` where brackets do not match.
fn split_outside_brackets(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut depth = 0_usize;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth = depth.checked_add(1)?,
            ')' => depth = depth.checked_sub(1)?,
            _ if character == separator && depth == 0 => {
                parts.push(text.get(start..at)?);
                start = at.checked_add(character.len_utf8())?;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (depth == 0).then_some(parts)
}

/// Whether the text is a name as OData has it, perhaps qualified or an annotation's.
fn is_name(text: &str) -> bool {
    let is_inner = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.');
    let name = text.strip_prefix('@').unwrap_or(text);
    (1..=128).contains(&name.len())
        && name.chars().all(is_inner)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::ReadOptions;

    fn select(query: &str) -> serde_json::Value {
        let call = json!({"@odata.type": "t", "id": "1", "state": "s", "source": {"identity": {}}});
        ReadOptions::from_query(query).unwrap().apply(call)
    }

    #[test]
    fn only_selected_members_and_annotations_are_left() {
        assert_eq!(select("$select=id"), json!({"@odata.type": "t", "id": "1"}));
        assert_eq!(select("%24select=ID,%20State"), json!({"@odata.type": "t", "id": "1", "state": "s"}));
        assert_eq!(
            select("select=source/identity,absent"),
            json!({"@odata.type": "t", "source": {"identity": {}}})
        );
    }

    #[test]
    fn an_empty_selection_a_star_and_unknown_options_leave_everything() {
        for query in ["", "$select=", "$select=id,*", "$top=1&$filter=x eq 'y'&flavour=mint"] {
            assert_eq!(select(query)["state"], "s", "{query}");
        }
    }

    #[test]
    fn an_expanded_member_has_options_of_its_own() {
        let options =
            ReadOptions::from_query("$expand=participants($expand=a(b)),Operations($select=id;$top=1)");
        let options = options.unwrap();
        let nested = options.expanded("operations").unwrap();
        assert_eq!(nested.apply(json!({"id": 1, "status": 2})), json!({"id": 1}));
        assert!(options.expanded("participants").is_some());
        assert!(options.expanded("a").is_none());
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_refused_by_its_option() {
        for query in ["$select=id,,state", "$select=i d", "$select=(id)", "$select=a/", "$select=1a"] {
            let error = ReadOptions::from_query(query).unwrap_err().to_string();
            assert!(error.starts_with("query option $select: expected"), "{query}: {error}");
        }
        for query in ["$expand=a(", "$expand=a)", "$expand=a(b)c", "$expand=,", "$expand=a($select=,)"] {
            assert!(ReadOptions::from_query(query).is_err(), "{query}");
        }
        let many = vec!["a"; 65].join(",");
        assert!(ReadOptions::from_query(&format!("$select={many}")).is_err());
    }

    proptest! {
        #[test]
        fn a_selection_of_names_is_read_back_whatever_surrounds_it(
            names in prop::collection::vec("[A-Za-z_][A-Za-z0-9_]{0,9}", 1..9),
            space in " {0,2}",
        ) {
            let query = format!("a=b&$select={}&c=d", names.join(&format!("{space},{space}")));
            let options = ReadOptions::from_query(&query).unwrap();
            prop_assert_eq!(options.context(), format!("({})", names.join(",")));
        }

        #[test]
        fn no_query_makes_it_panic(query in "([$%&=(),;/* a-z0-9]|select|expand|\u{e9}){0,40}") {
            if let Err(error) = ReadOptions::from_query(&query) {
                prop_assert!(error.to_string().starts_with("query option $"));
            }
        }
    }
}
