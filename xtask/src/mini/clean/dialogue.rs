//! Dialogues, a turn a line with the speaker in front: task dialogues as they are, air-to-ground transcripts without clocks and gaps.

use super::characters::tidy;

/// A task dialogue: turns as they are.
pub fn task(text: &str) -> Vec<String> {
    text.lines().map(tidy).filter(|line| line.contains(": ")).collect()
}

/// A transcript: time stamps and unheard passages out, wrapped turns joined.
pub fn transcript(text: &str) -> Vec<String> {
    let mut turns: Vec<String> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || is_clock(trimmed) {
            continue;
        }
        let speaks = trimmed.split_once(": ").is_some_and(|(who, _)| {
            who.len() <= 16
                && who.starts_with(|c: char| c.is_ascii_uppercase())
                && who.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" ()-".contains(&b))
        });
        match turns.last_mut() {
            Some(last) if !speaks => {
                last.push(' ');
                last.push_str(trimmed);
            }
            _ if speaks => turns.push(trimmed.to_owned()),
            _ => {}
        }
    }
    turns.iter().map(|turn| tidy(turn)).filter(|turn| is_heard(turn)).collect()
}

fn is_clock(line: &str) -> bool {
    line.starts_with('[') && line.ends_with(']') && line.bytes().filter(u8::is_ascii_digit).count() >= 4
}

/// A turn with words in it, no page marks, and few gaps.
fn is_heard(turn: &str) -> bool {
    let said = turn.split_once(": ").map_or("", |(_, said)| said);
    let letters = said.bytes().filter(u8::is_ascii_alphabetic).count();
    letters >= 4
        && letters * 2 >= said.len()
        && said.matches("...").count() <= 1
        && !said.starts_with(['.', ','])
        && !said.contains(", .")
        && !said.contains(" ,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_gaps_go_and_turns_are_joined() {
        let text = "[00:02:26:05.5]\nP: This is using\n     the push to talk.\nC: …\nCC: , .\nCC: I see no difference.";
        assert_eq!(transcript(text), ["P: This is using the push to talk.", "CC: I see no difference."]);
    }
}
