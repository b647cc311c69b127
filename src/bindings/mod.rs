//! All of napi: converts between JavaScript and the crate, decides nothing.

mod callback;
mod cluster;
mod cluster_config;
mod cluster_request;
mod endpoint;
mod entry;
mod in_place;
mod lane;
mod text;
mod worker;
