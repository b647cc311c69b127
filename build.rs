//! Tells the linker what a Node addon needs; nothing else.

fn main() {
    napi_build::setup();
}
