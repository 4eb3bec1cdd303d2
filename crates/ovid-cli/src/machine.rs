//! What the program asks of the machine it runs on: cores, and a seed where none is given.

use std::time::{SystemTime, UNIX_EPOCH};

use ovid_model::Unit;

use crate::failure::Failure;
use crate::output::Voice;

/// The physical cores that this process may use.
pub fn physical_cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    num_cpus::get_physical().clamp(1, allowed)
}

/// The seed that was given, else one from the system, short enough to be typed again, and said.
pub fn seed(given: Option<u64>, voice: Voice) -> Result<u64, Failure> {
    if let Some(seed) = given {
        return Ok(seed);
    }
    let drawn = getrandom::u32()
        .map_err(|e| Failure::Machine { message: format!("the system gives no random numbers: {e}"), hint: Some("pass --seed".into()) })?;
    voice.say(&format!("seed: {drawn}"));
    Ok(u64::from(drawn))
}

/// Today by the system's clock, in UTC, as YYYY-MM-DD.
pub fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    civil((seconds / 86_400) as i64)
}

/// A day of the Gregorian calendar from the days since 1970 (Hinnant 2013, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{day:02}", year_of_era + era * 400 + i64::from(month <= 2))
}

/// The vector unit that `OVID_SIMD` asks for; the fastest there is where it is not set.
pub fn vector_unit() -> Result<Option<Unit>, Failure> {
    let Some(name) = std::env::var_os("OVID_SIMD").filter(|n| !n.is_empty()) else { return Ok(None) };
    match name.to_str() {
        Some("avx512") => Ok(Some(Unit::Avx512)),
        Some("avx2") => Ok(Some(Unit::Avx2)),
        Some("scalar") => Ok(Some(Unit::Scalar)),
        _ => Err(Failure::input(format!("OVID_SIMD is '{}'", name.to_string_lossy())).hint("it may be avx512, avx2 or scalar")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_782, "2026-11-25"),
            (47_540, "2100-02-28"),
        ] {
            assert_eq!(super::civil(days), date);
        }
    }
}
