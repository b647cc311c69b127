//! The program by which the kernel chooses among the sockets of one port: at random among those that are served; and the one by which it
//! lets nobody new in. Pure.
//!
//! It is classic BPF, which anybody may attach (socket(7), `SO_ATTACH_REUSEPORT_CBPF`): what it returns is the number of a socket, counted
//! in the order in which they began to listen. Beyond that number the kernel chooses by its own hash.

/// One instruction, as in `struct sock_filter`: code, jump if true, jump if false, operand.
pub type Instruction = (u16, u8, u8, u32);

/// `BPF_LD | BPF_W | BPF_ABS`.
const LOAD: u16 = 0x20;
/// `SKF_AD_OFF + SKF_AD_RANDOM`: a random number in the place of the packet's bytes.
const RANDOM: u32 = (-0x1000_i32 + 56).cast_unsigned();
/// `BPF_ALU | BPF_MOD | BPF_K`.
const MODULO: u16 = 0x94;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const JUMP_IF_EQUAL: u16 = 0x15;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

/// `BPF_LD | BPF_B | BPF_ABS`.
const LOAD_BYTE: u16 = 0x30;
/// `BPF_ALU | BPF_AND | BPF_K`.
const AND: u16 = 0x54;
/// Where TCP's header has its flags, and two of them (RFC 9293, 3.1).
const FLAGS_AT: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;

/// For one listening socket (socket(7), `SO_ATTACH_FILTER`): who begins to connect is not heard, and tries again in a second. Who has
/// begun before may come to an end with it.
pub const NO_NEWCOMERS: [Instruction; 5] = [
    (LOAD_BYTE, 0, 0, FLAGS_AT),
    (AND, 0, 0, SYN | ACK),
    (JUMP_IF_EQUAL, 0, 1, SYN),
    (RETURN, 0, 0, 0),
    (RETURN, 0, 0, u32::MAX),
];

/// Chooses among the sockets with these numbers; none where there are none.
#[must_use]
pub fn choose_among(served: &[u32]) -> Option<Vec<Instruction>> {
    let count = u32::try_from(served.len()).ok().filter(|count| *count > 0)?;
    let mut program = vec![(LOAD, 0, 0, RANDOM), (MODULO, 0, 0, count)];
    for (at, socket) in (0_u32..).zip(served) {
        program.extend([(JUMP_IF_EQUAL, 0, 1, at), (RETURN, 0, 0, *socket)]);
    }
    // Never reached; the kernel wants a program to end with a return.
    program.push((RETURN, 0, 0, u32::MAX));
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program returns for this random number.
    fn run(program: &[Instruction], random: u32) -> u32 {
        let (mut value, mut at) = (0, 0);
        loop {
            let (code, if_true, if_false, operand) = program[at];
            at += 1;
            match code {
                LOAD => value = random,
                MODULO => value %= operand,
                JUMP_IF_EQUAL => at += usize::from(if value == operand { if_true } else { if_false }),
                RETURN => return operand,
                _ => unreachable!(),
            }
        }
    }

    #[test]
    fn each_served_socket_is_chosen_equally_often_and_no_other() {
        let served = [0, 2, 5];
        let program = choose_among(&served).unwrap();
        let mut counts = [0; 6];
        (0..300).for_each(|random| counts[run(&program, random) as usize] += 1);
        assert_eq!(counts, [100, 0, 100, 0, 0, 100]);
    }

    #[test]
    fn nothing_is_chosen_among_none_and_a_thousand_fit_into_a_program() {
        assert_eq!(choose_among(&[]), None);
        let all: Vec<u32> = (0..1024).collect();
        let program = choose_among(&all).unwrap();
        assert!(program.len() <= 4096, "BPF_MAXINSNS");
        assert_eq!(run(&program, 5 * 1024 + 1023), 1023);
    }
}
