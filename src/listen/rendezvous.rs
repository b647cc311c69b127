//! Rendezvous hashing: which slot a client belongs to, decided by nothing but its address and the slots there are.
//!
//! Each slot draws a number for the client and the highest one wins. So a slot that goes moves only its own clients, each to
//! the slot that drew the second highest number for it, and they come back with it. Pure; the same in every process and run.

use std::net::IpAddr;

use crate::message::address::SlotIndex;

/// Who a client is, as far as its worker is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub u128);

impl From<IpAddr> for Client {
    /// IPv4 and the same address inside IPv6 are one client.
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        })
    }
}

impl From<&[u8]> for Client {
    /// Whoever shows the same bytes, in a header or a cookie, is one client.
    fn from(bytes: &[u8]) -> Self {
        let half = |start: u64| {
            bytes.chunks(size_of::<u64>()).fold(mix(start ^ bytes.len() as u64), |word, chunk| {
                let mut filled = [0; size_of::<u64>()];
                filled[..chunk.len()].copy_from_slice(chunk);
                mix(word ^ u64::from_le_bytes(filled))
            })
        };
        Self(u128::from(half(0)) << 64 | u128::from(half(1)))
    }
}

/// What a slot draws for a client.
#[must_use]
pub fn draw(client: Client, slot: SlotIndex) -> u64 {
    let [high, low] = [client.0 >> 64, client.0].map(|half| half as u64);
    mix(mix(mix(high) ^ low) ^ u64::from(slot.0))
}

/// The finalizer of `SplitMix64`: every bit of the input changes about half of the output's.
fn mix(input: u64) -> u64 {
    let mut word = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn winner(client: IpAddr, slots: &[u32]) -> u32 {
        *slots.iter().max_by_key(|slot| draw(client.into(), SlotIndex(**slot))).unwrap()
    }

    /// Neighbours in one network, as clients are; 10,000 of them.
    fn clients() -> [Vec<IpAddr>; 2] {
        let v4 = (0..10_000).map(|n| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))).collect();
        let v6 = (0..10_000).map(|n| IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (n << 64)))).collect();
        [v4, v6]
    }

    #[test]
    fn clients_are_spread_evenly_over_the_slots() {
        for clients in clients() {
            let mut counts = [0_i32; 4];
            for client in clients {
                counts[winner(client, &[0, 1, 2, 3]) as usize] += 1;
            }
            // Five standard deviations of a fair draw.
            assert!(counts.iter().all(|count| (count - 2_500).abs() < 217), "{counts:?}");
        }
    }

    #[test]
    fn a_slot_that_goes_moves_only_its_own_clients_and_evenly_to_the_others() {
        for clients in clients() {
            let mut moved = [0_i32; 4];
            for client in clients {
                let before = winner(client, &[0, 1, 2, 3]);
                let after = winner(client, &[0, 1, 3]);
                if before == 2 {
                    moved[after as usize] += 1;
                } else {
                    assert_eq!(before, after, "{client} has moved although its slot is there");
                }
            }
            let expected = moved.iter().sum::<i32>() / 3;
            assert_eq!(moved[2], 0);
            assert!([0, 1, 3].iter().all(|slot: &usize| (moved[*slot] - expected).abs() < 120), "{moved:?}");
        }
    }

    #[test]
    fn a_slot_that_is_added_takes_clients_from_all_and_moves_no_other() {
        for client in clients().concat() {
            let (before, after) = (winner(client, &[0, 1, 2, 3]), winner(client, &[0, 1, 2, 3, 4]));
            assert!(after == before || after == 4);
        }
    }

    #[test]
    fn an_address_is_the_same_client_over_ipv4_and_ipv6() {
        for (slot, client) in [(0, Ipv4Addr::LOCALHOST), (3, Ipv4Addr::new(192, 168, 7, 9))] {
            let [plain, mapped] = [IpAddr::from(client), client.to_ipv6_mapped().into()].map(Client::from);
            assert_eq!(draw(plain, SlotIndex(slot)), draw(mapped, SlotIndex(slot)));
        }
    }

    #[test]
    fn the_bytes_of_a_cookie_are_spread_evenly_and_none_is_taken_for_another() {
        let texts: Vec<String> = (0..10_000).map(|number| format!("sid={number}")).collect();
        let mut counts = [0_i32; 4];
        for text in &texts {
            let client = Client::from(text.as_bytes());
            let slot = (0..4).max_by_key(|slot| draw(client, SlotIndex(*slot))).unwrap();
            counts[slot as usize] += 1;
        }
        assert!(counts.iter().all(|count| (count - 2_500).abs() < 217), "{counts:?}");
        let alike = [&b""[..], b"\0", b"\0\0", b"12345678", b"12345678\0", b"87654321"].map(Client::from);
        assert!((0..alike.len()).all(|at| !alike[at + 1..].contains(&alike[at])), "{alike:?}");
    }

    #[test]
    fn a_client_keeps_its_slot_over_restarts_and_versions() {
        let slots_of = |text: &str| winner(text.parse().unwrap(), &[0, 1, 2, 3]);
        assert_eq!(["127.0.0.1", "127.0.0.2", "192.168.1.20", "2001:db8::1", "fe80::1"].map(slots_of), [1, 3, 0, 1, 2]);
    }
}
