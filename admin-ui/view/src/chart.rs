//! Geometry of the charts: bars over hours, sparklines. The table behind a chart is made from the same figures.

/// A bar of a stacked chart, in the chart's own units.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Which series.
    pub series: usize,
}

/// Stacked bars: `columns` holds one value per series for each column, from the left.
#[must_use]
pub fn stacked(columns: &[Vec<u64>], width: f64, height: f64) -> Vec<Bar> {
    let highest = nice_maximum(columns.iter().map(|column| column.iter().sum()).max().unwrap_or(0));
    let step = width / columns.len().max(1) as f64;
    let mut bars = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let mut top = height;
        for (series, value) in column.iter().enumerate().filter(|(_, value)| **value > 0) {
            // At least one unit high: a single bounce among thousands is to be seen.
            let tall = (*value as f64 / highest as f64 * height).max(1.0).min(top);
            top -= tall;
            bars.push(Bar { x: index as f64 * step + step * 0.1, y: top, width: step * 0.8, height: tall, series });
        }
    }
    bars
}

/// The next of 1, 2, 5, 10, 20, 50, … that is not below.
#[must_use]
pub fn nice_maximum(value: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step >= value || step == u64::MAX {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// The `d` of a line through the values, over the whole width.
#[must_use]
pub fn line(values: &[u64], width: f64, height: f64) -> String {
    let highest = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = width / values.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    for (index, value) in values.iter().enumerate() {
        let x = index as f64 * step;
        let y = height - 1.0 - *value as f64 / highest * (height - 2.0);
        path.push_str(&format!("{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" }));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxima_are_round() {
        let cases = [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (4_321, 5_000), (u64::MAX, u64::MAX)];
        for (value, maximum) in cases {
            assert_eq!(nice_maximum(value), maximum);
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_never_leave_the_chart() {
        let bars = stacked(&[vec![90, 10], vec![0, 0], vec![1_000_000, 1]], 300.0, 100.0);
        assert_eq!(bars.len(), 4);
        assert!(bars.iter().all(|bar| bar.y >= 0.0 && bar.y + bar.height <= 100.0 + 1e-9));
        assert!((bars[1].y + bars[1].height - bars[0].y).abs() < 1e-9);
    }

    #[test]
    fn lines_of_nothing_and_of_one() {
        assert_eq!(line(&[], 100.0, 20.0), "");
        assert_eq!(line(&[3], 100.0, 20.0), "M0.0 1.0");
        assert_eq!(line(&[0, 4], 100.0, 20.0), "M0.0 19.0L100.0 1.0");
    }
}
