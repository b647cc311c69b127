//! The first bytes of a connection: whatever they are, what has been answered once is not changed by more of them, and a proxy's header is no
//! longer than what is there.
#![no_main]

use arbitrary::Arbitrary;
use egg_clutch::listen::sticky_by::{MOST_BYTES, Seen, StickyBy};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    by: u8,
    cut: u16,
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let by = match input.by % 3 {
        0 => StickyBy::ProxyProtocol,
        1 => StickyBy::Header("x".to_owned()),
        _ => StickyBy::Cookie("x".to_owned()),
    };
    let late = by.look(input.bytes);
    let early = by.look(&input.bytes[..input.bytes.len().min(usize::from(input.cut))]);
    assert!(early == Seen::Partial || early == late);
    if let Seen::Proxied { length, .. } = late {
        assert!((1..=input.bytes.len()).contains(&length));
    }
    let mut filled = input.bytes.to_vec();
    filled.resize(MOST_BYTES, b'\n');
    assert_ne!(by.look(&filled), Seen::Partial);
});
