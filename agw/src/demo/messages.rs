//! The messages of one call, made readable: long tokens, indented, keys blanked by the gateway before they came here.

use crate::admin::views::Traced;
use agw_iq::text::{self, Style};

/// More lines than this of one message are not shown.
const MAX_LINES: usize = 80;

/// A message as the demo shows it; `None` for what is not worth it, such as acknowledgements.
pub(super) fn readable(message: &Traced) -> Option<(String, Vec<String>)> {
    let text = match text::parse_strictly(message.text.as_bytes()) {
        Ok(parsed) => text::print(&parsed, Style::Pretty).to_string(),
        Err(_) => message.text.clone(),
    };
    let title = if message.direction == "received" {
        "the controller asks"
    } else {
        "the gateway answers, when the media path is ready"
    };
    let mut lines = indented(&text);
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        lines.push("...".to_owned());
    }
    Some((title.to_owned(), lines))
}

/// SDP stands at the margin, because white space before it would change it; here it is moved under what it belongs to.
fn indented(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut depth = 0;
    for line in text.lines().map(|line| line.trim_end().replace('\t', "  ")).filter(|line| !line.is_empty()) {
        let own = line.chars().take_while(|c| *c == ' ').count();
        let is_sdp = own == 0 && line.as_bytes().get(1) == Some(&b'=');
        if is_sdp {
            lines.push(format!("{:depth$}{line}", "", depth = depth + 2));
        } else {
            depth = own;
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdp_stands_below_its_descriptor() {
        assert_eq!(
            indented("A {\n\tLocal {\nv=0\nc=IN IP4 $\n\t}\n}"),
            ["A {", "  Local {", "    v=0", "    c=IN IP4 $", "  }", "}"]
        );
    }
}
