//! What the program asks of the machine it runs on: cores, and a seed where none is given.

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
