//! Records between master and workers: any bytes are refused, or mean one record, which is written as the same again.
#![no_main]

use egg_clutch::transport::switchboard::control::Control;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(control) = Control::from_bytes(bytes) {
        assert_eq!(Control::from_bytes(&control.to_bytes()), Ok(control));
        assert!(control.descriptors() <= 3);
    }
});
