//! Words as the measures count them: lower case, marks apart, white space gone, so that layout decides nothing.

/// The words and marks of `text`.
pub fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '\'' && !word.is_empty() {
            word.extend(c.to_lowercase());
        } else {
            if !word.is_empty() {
                out.push(std::mem::take(&mut word));
            }
            if !c.is_whitespace() {
                out.push(c.to_string());
            }
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_apart_and_case_goes() {
        assert_eq!(words("\"It's  late,\"\nHe said."), ["\"", "it's", "late", ",", "\"", "he", "said", "."]);
    }
}
