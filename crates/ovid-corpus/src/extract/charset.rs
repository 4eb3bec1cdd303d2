//! The encoding that a page declares: by the server, else in its first kilobyte, as the HTML standard looks for it.

use crate::read::charset as charset_of;

/// Browsers look no further.
const LOOKED_AT: usize = 1024;

/// The label of the encoding, if one is declared.
pub(super) fn declared(bytes: &[u8], content_type: Option<&str>) -> Option<String> {
    let served = content_type.map(str::to_ascii_lowercase);
    if let Some(label) = served.as_deref().and_then(charset_of) {
        return Some(label.to_owned());
    }
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]).to_ascii_lowercase();
    start.match_indices("<meta").find_map(|(at, _)| {
        let tag = start[at..].split('>').next()?;
        // `charset="x"`, and `content="text/html; charset=x"`.
        let (_, value) = tag.split_once("charset")?;
        let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let label: String = value.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.')).collect();
        (!label.is_empty()).then_some(label)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_pages_say_their_encoding() {
        let check = |page: &str, served: Option<&str>, expected: Option<&str>| {
            assert_eq!(declared(page.as_bytes(), served).as_deref(), expected, "{page}");
        };
        check("<meta charset=windows-1251>", None, Some("windows-1251"));
        check("<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>", None, Some("shift_jis"));
        check("<meta name=a><meta charset = \"utf-8\" />", None, Some("utf-8"));
        check("<meta charset=utf-8>", Some("text/html; Charset=\"koi8-r\""), Some("koi8-r"));
        check("<meta name=description content=x><p>charset=utf-8", None, None);
        check("", Some("text/html"), None);
    }
}
