//! Numbers on the way out and in.

use model::{CallerForm, NumberRule, PhoneNumber, Trunk};
use proptest::prelude::*;
use trunk::{called, caller, received};

use crate::harness::{number, rule, trunk};

fn with_rules(outgoing_rules: Vec<NumberRule>, incoming_rules: Vec<NumberRule>) -> Trunk {
    Trunk { outgoing_rules, incoming_rules, ..trunk("a") }
}

#[test]
fn the_rule_that_says_most_holds_in_whatever_order_they_are() {
    let mut rules = vec![
        rule("+", "00", None),
        rule("+44", "0", None),
        rule("+44", "x", Some(5)),
        rule("+4420", "20", None),
    ];
    for _ in 0..rules.len() {
        rules.rotate_left(1);
        let trunk = with_rules(rules.clone(), Vec::new());
        let written = |text: &str| called(&trunk, &number(text));
        assert_eq!(written("+12015550123"), "0012015550123");
        assert_eq!(written("+441614960123"), "01614960123");
        assert_eq!(written("+442079460123"), "2079460123");
        assert_eq!(written("+44161"), "x161");
    }
    assert_eq!(called(&with_rules(Vec::new(), Vec::new()), &number("+12015550123")), "+12015550123");
}

#[test]
fn the_caller_is_written_in_the_form_that_the_trunk_wants() {
    let from = number("+12345678900");
    let forms = [
        (CallerForm::ByRules, "2345678900"),
        (CallerForm::Digits, "12345678900"),
        (CallerForm::E164, "+12345678900"),
    ];
    for (caller_form, written) in forms {
        let trunk = Trunk { caller_form, ..with_rules(vec![rule("+1", "", None)], Vec::new()) };
        assert_eq!(caller(&trunk, &from), written);
    }
}

#[test]
fn a_national_carriers_numbers_are_read_as_they_are_meant() {
    let rules = vec![
        rule("", "+1", Some(10)),
        rule("1", "+1", Some(11)),
        rule("011", "+", None),
        rule("8", "+12345678", Some(4)),
    ];
    let trunk = with_rules(Vec::new(), rules);
    let read = |text: &str| received(&trunk, text).map(|number| number.as_str().to_owned());
    for text in ["2345678900", "12345678900", "01112345678900", "+12345678900", "+1-234-567-8900", "8900"] {
        assert_eq!(read(text).as_deref(), Some("+12345678900"), "{text}");
    }
    assert_eq!(read("+12345678900;npdi;rn=+1").as_deref(), Some("+12345678900"), "parameters of RFC 4694");
    for text in ["", "john", "8901234", "+", "0011", "anonymous", "\u{661}\u{662}", &"1".repeat(500)] {
        assert_eq!(read(text), None, "{text}");
    }
}

fn any_number() -> impl Strategy<Value = PhoneNumber> {
    "\\+[1-9][0-9]{3,14}".prop_map(|text| number(&text))
}

fn any_rules() -> impl Strategy<Value = Vec<NumberRule>> {
    let part = || "[+]?[0-9]{0,6}";
    let any_rule = (part(), part(), proptest::option::of(1_u8..16));
    proptest::collection::vec(any_rule.prop_map(|(from, to, digits)| rule(&from, &to, digits)), 0..6)
}

proptest! {
    #[test]
    fn a_number_reads_back_from_each_way_to_write_it(number in any_number(), separators in "[-. ()]{0,12}") {
        let mut written = "tel:+".to_owned();
        for (at, digit) in number.digits().chars().enumerate() {
            written.push(digit);
            written.extend(separators.chars().nth(at));
        }
        prop_assert_eq!(PhoneNumber::parse(&written), Ok(number));
        prop_assert_eq!(PhoneNumber::parse(number.as_str()), Ok(number));
    }

    #[test]
    fn whatever_is_read_is_a_number_or_none(text in ".{0,80}") {
        if let Ok(number) = PhoneNumber::parse(&text) {
            let digits = number.digits();
            prop_assert!((PhoneNumber::MIN_DIGITS..=PhoneNumber::MAX_DIGITS).contains(&digits.len()));
            prop_assert!(digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0'));
        }
    }

    #[test]
    fn no_log_shows_the_middle_of_a_number(number in any_number()) {
        let (shown, digits) = (number.to_string(), number.digits());
        let visible = shown.chars().filter(char::is_ascii_digit).count();
        prop_assert!(visible <= 5 && visible + 3 <= digits.len().max(8), "{}", shown);
    }

    #[test]
    fn no_rules_and_no_text_do_harm(rules in any_rules(), text in "[0-9+*#a-z;-]{0,70}", number in any_number()) {
        let trunk = with_rules(rules.clone(), rules);
        let _ = received(&trunk, &text);
        prop_assert!(called(&trunk, &number).len() <= NumberRule::MAX_LENGTH + number.as_str().len());
    }

    #[test]
    fn what_goes_out_nationally_comes_back_as_it_was(national in "[1-9][0-9]{6,9}", abroad in "\\+1[2-9][0-9]{9}") {
        let trunk = with_rules(
            vec![rule("+44", "0", None), rule("+", "00", None)],
            vec![rule("0", "+44", None), rule("00", "+", None)],
        );
        for original in [number(&format!("+44{national}")), number(&abroad)] {
            prop_assert_eq!(received(&trunk, &called(&trunk, &original)), Some(original));
        }
    }
}
