//! The report as one page that needs nothing else: numbers in a table, the course of the run as pictures.

use crate::report::{Report, Second};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 180.0;

const STYLE: &str = "body{font:15px system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}\
    h1{font-size:1.3em}h2{font-size:1.05em;margin-top:2em}table{border-collapse:collapse}\
    td{padding:.2em 1.2em .2em 0;border-bottom:1px solid #ddd}td+td{text-align:right;font-variant-numeric:tabular-nums}\
    .good{color:#186a2b}.bad{color:#a11}svg{width:100%;background:#fafafa;border:1px solid #ddd}\
    .a{stroke:#1f6feb}.b{stroke:#d2691e}polyline{fill:none;stroke-width:1.5}text{font-size:11px;fill:#555}";

/// The page.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    let (class, verdict) = match (report.valid, report.passed) {
        (false, _) => ("bad", "invalid"),
        (true, true) => ("good", "passed"),
        (true, false) => ("bad", "failed"),
    };
    let title =
        format!("agw-loadtest: {} {}", escape(&report.asked.direction), escape(&report.asked.gateway));
    write!(page, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>")?;
    write!(page, "<style>{STYLE}</style><h1>{title}: <span class=\"{class}\">{verdict}</span></h1>")?;
    for doubt in &report.invalid_because {
        write!(page, "<p class=\"bad\">{}</p>", escape(doubt))?;
    }
    page.push_str("<table>");
    let json = serde_json::to_value(report).unwrap_or_default();
    write_rows(page, "", &json)?;
    page.push_str("</table>");
    if report.seconds.len() > 1 {
        let rate = |second: &Second| (second.offered_pps, second.received_pps);
        write_picture(page, "Offered and received per second", &report.seconds, rate)?;
        let latency = |second: &Second| (second.latency_us.p50, second.latency_us.p99);
        write_picture(page, "Latency p50 and p99, microseconds", &report.seconds, latency)?;
    }
    page.push_str("</html>\n");
    Ok(())
}

/// A row for every number and word; what is nested gets a dotted name. The seconds have their pictures.
fn write_rows(page: &mut String, name: &str, value: &serde_json::Value) -> std::fmt::Result {
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries.iter().filter(|(key, _)| *key != "seconds" || !name.is_empty()) {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                write_rows(page, &name, value)?;
            }
            Ok(())
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                write_rows(page, &format!("{name}[{index}]"), item)?;
            }
            Ok(())
        }
        serde_json::Value::String(text) => write!(page, "<tr><td>{}<td>{}", escape(name), escape(text)),
        serde_json::Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let digits = if number.fract() == 0.0 { 0 } else { 3 };
            write!(page, "<tr><td>{}<td>{number:.digits$}", escape(name))
        }
        serde_json::Value::Bool(yes) => {
            write!(page, "<tr><td>{}<td>{}", escape(name), if *yes { "yes" } else { "no" })
        }
        serde_json::Value::Null => Ok(()),
    }
}

/// Two lines over time, scaled to the highest value.
fn write_picture(
    page: &mut String,
    title: &str,
    seconds: &[Second],
    values: impl Fn(&Second) -> (f64, f64),
) -> std::fmt::Result {
    let top = seconds.iter().map(|second| values(second).0.max(values(second).1)).fold(1.0, f64::max);
    let end = seconds.last().map_or(1.0, |second| second.at).max(f64::MIN_POSITIVE);
    let points = |pick: &dyn Fn((f64, f64)) -> f64| {
        let point = |second: &Second| {
            let (x, y) = (second.at / end * WIDTH, HEIGHT - pick(values(second)) / top * (HEIGHT - 20.0));
            format!("{x:.1},{y:.1} ")
        };
        seconds.iter().map(point).collect::<String>()
    };
    write!(page, "<h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">")?;
    write!(page, "<polyline class=\"a\" points=\"{}\"/>", points(&|(first, _)| first))?;
    write!(page, "<polyline class=\"b\" points=\"{}\"/>", points(&|(_, second)| second))?;
    write!(
        page,
        "<text x=\"4\" y=\"14\">{top:.0}</text><text x=\"{}\" y=\"{}\">{end:.0} s</text></svg>",
        WIDTH - 40.0,
        HEIGHT - 4.0
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Totals;
    use crate::measure::{Counts, QuantilesUs};
    use crate::report::SetUp;
    use std::time::Duration;

    #[test]
    fn the_page_stands_alone_and_says_what_happened() {
        let second = |at| Second {
            at,
            offered_pps: 1000.0,
            received_pps: 999.0,
            missing: 1,
            latency_us: QuantilesUs::default(),
            late_us_p99: 0.0,
        };
        let asked = crate::report::tests::asked();
        let counts = Counts { sent: 1000, received: 998, ..Counts::default() };
        let totals = Totals { counts, ..Totals::default() };
        let mut report = Report::new(
            asked,
            &totals,
            Duration::from_secs(1),
            SetUp::default(),
            vec![second(1.0), second(2.0)],
        );
        report.asked.gateway = "<script>".to_owned();
        let page = page(&report);
        assert!(page.contains("class=\"bad\">failed<"));
        assert!(page.contains("<tr><td>lost<td>2"));
        assert!(page.contains("0.0,") || page.contains("380.0,"), "a line is drawn");
        assert!(!page.contains("<script>") && !page.contains("http"), "nothing is loaded or injected");
    }
}
