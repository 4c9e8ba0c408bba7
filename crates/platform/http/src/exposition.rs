//! Prometheus text format 0.0.4 from what prometheus-client writes, which is OpenMetrics. Servers read the one by its exact
//! media type and refuse a mixture.

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

/// The media type that goes with [`render`], whatever the client says it accepts.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything in `registry`.
pub(crate) fn render(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, registry)?;
    Ok(convert(&text))
}

/// Line by line: units and the end mark go, counters are named as their samples are, exemplars are cut off.
fn convert(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut line = |parts: &[&str]| {
        parts.iter().for_each(|part| text.push_str(part));
        text.push('\n');
    };
    // HELP comes before TYPE, and only TYPE tells by which name it goes.
    let mut help: Option<(&str, String)> = None;
    for source in openmetrics.lines() {
        if let Some(rest) = source.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').unwrap_or((rest, ""));
            help = Some((name, words.replace("\\\"", "\"")));
        } else if let Some(rest) = source.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "gauge" | "stateset" => ("", "gauge"),
                "histogram" => ("", "histogram"),
                "summary" => ("", "summary"),
                _ => ("", "untyped"),
            };
            if let Some((of, words)) = help.take()
                && of == name
            {
                line(&["# HELP ", name, suffix, " ", &words]);
            }
            line(&["# TYPE ", name, suffix, " ", kind]);
        } else if !source.starts_with('#') && !source.is_empty() {
            line(&[without_exemplar(source)]);
        }
    }
    text
}

/// The sample without ` # {…}` behind its value; a `#` within a label's value stays.
fn without_exemplar(sample: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in sample.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted => return sample.get(..at).unwrap_or(sample).trim_end(),
            _ => {}
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::exemplar::CounterWithExemplar;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::Unit;

    #[test]
    fn openmetrics_becomes_text_0_0_4() {
        let mut registry = Registry::default();
        let logins: Family<Vec<(String, String)>, Counter> = Family::default();
        logins.get_or_create(&vec![("why".to_owned(), "a \"b\" # {c} \\ \n d".to_owned())]).inc();
        registry.register("logins", "Logins, \"all\" of them", logins);
        let marked = CounterWithExemplar::<Vec<(String, String)>, u64>::default();
        marked.inc_by(3, Some(vec![("trace_id".to_owned(), "x".to_owned())]), None);
        registry.register("marked", "With an exemplar", marked);
        let took = Histogram::new([0.5]);
        took.observe(0.25);
        registry.register_with_unit("took", "Time", Unit::Seconds, took);
        registry.register("open", "Open", Gauge::<i64>::default());
        registry.register("build", "Build", Info::new(vec![("kind".to_owned(), "test".to_owned())]));
        let text = render(&registry).expect("text");
        let wanted = [
            "# TYPE logins_total counter\n",
            "logins_total{why=\"a \\\"b\\\" # {c} \\\\ \\n d\"} 1\n",
            "# TYPE marked_total counter\nmarked_total 3\n",
            "# TYPE took_seconds histogram\n",
            "took_seconds_bucket{le=\"0.5\"} 1\n",
            "took_seconds_count 1\n",
            "# TYPE open gauge\nopen 0\n",
            "# TYPE build_info gauge\nbuild_info{kind=\"test\"} 1\n",
            "# HELP logins_total Logins, \"all\" of them",
        ];
        for part in wanted {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        assert!(!text.contains("# EOF") && !text.contains("# UNIT") && !text.contains("trace_id"), "{text}");
    }
}
