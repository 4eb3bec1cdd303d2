//! Key files: written for their owner, read whole or refused with the reason.

use std::path::Path;

use ovid_watermark::{Error, GreenList, Key, Mark, Scheme};

fn key() -> Key {
    Key::new([42; 32], Some("spring".to_owned()))
}

#[test]
fn a_key_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    key().write(&path).unwrap();
    let read = Key::read(&path).unwrap();
    assert_eq!((read.id(), read.name()), (key().id(), Some("spring")));
    assert!(matches!(key().write(&path), Err(Error::Occupied { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn no_message_shows_the_secret() {
    let secret = "2a2a2a";
    assert!(!format!("{:?}", key()).contains(secret));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    key().write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(secret));
    std::fs::write(&path, text.replacen(secret, "2b2a2a", 1)).unwrap();
    let message = Key::read(&path).unwrap_err().to_string();
    assert!(message.contains("damaged") && !message.contains("2a2a"), "{message}");
}

#[test]
fn what_is_no_key_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let check = |text: &[u8], want: &str| {
        private(&path, text);
        let error = Key::read(&path).unwrap_err();
        assert!(error.is_bad_input());
        assert!(error.to_string().contains(want) && error.to_string().contains("key.json"), "{error}");
    };
    check(b"", "not the fields of a key");
    check(b"{}", "not the fields of a key");
    check(&[0, 159, 146, 150], "not the fields of a key");
    check(&vec![b' '; 100_000], "too long");
    check(br#"{"format": "other", "id": "0011223344556677", "secret": "00"}"#, "its format");
    check(br#"{"format": "ovid-watermark-key/1", "id": "0011223344556677", "secret": "00"}"#, "64 hexadecimal digits");
    check(br#"{"format": "ovid-watermark-key/1", "id": "zz", "secret": "00"}"#, "not the fields of a key");
    let absent = Key::read(&folder.path().join("absent")).unwrap_err();
    assert!(absent.is_bad_input() && absent.to_string().contains("absent"));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    key().write(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o644, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Key::read(&path), Err(Error::Exposed { mode: m, .. }) if m == mode));
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(Key::read(&path).is_ok());
}

#[test]
fn a_mark_is_written_flat_and_checked_when_read() {
    let mark = Mark { key: key().id(), scheme: Scheme::GreenList(GreenList::default()) };
    let json = serde_json::to_string(&mark).unwrap();
    assert!(json.ends_with(r#""scheme":"green_list","gamma":0.25,"delta":2.0,"context_width":1,"self_hash":false}"#), "{json}");
    assert_eq!(serde_json::from_str::<Mark>(&json).unwrap(), mark);
    for wrong in [("0.25", "0"), ("0.25", "1"), ("2.0", "-1"), ("\"context_width\":1", "\"context_width\":0"), ("green_list", "red_list")] {
        assert!(serde_json::from_str::<Mark>(&json.replacen(wrong.0, wrong.1, 1)).is_err(), "{wrong:?}");
    }
}

fn private(path: &Path, text: &[u8]) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
