//! [`Cluster`]: the master as a JavaScript object. One per master; its methods may be called on the thread that made it.

use std::sync::Arc;

use napi::Error;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use super::cluster_config::ClusterConfig;
use super::cluster_request::{ClusterRequest, MasterPlan};
use crate::error::ClusterError;
use crate::master::{MasterConfig, MasterHandle, Request, RequestId, ThreadKey, ThreadNews, Ticket};
use crate::message::address::Origin;

/// The master of one cluster.
#[napi]
pub struct Cluster {
    handle: MasterHandle,
}

#[napi]
impl Cluster {
    /// Writes the pid file and starts the master's thread; nothing is forked yet. `onEvent` gets each event as JSON text
    /// and keeps the event loop alive.
    ///
    /// Throws `ERR_CLUTCH_OPTION` or `ERR_CLUTCH_BOOT`.
    #[napi(constructor)]
    pub fn new(config: ClusterConfig, on_event: Function<'_, String, ()>) -> napi::Result<Self, String> {
        let config = MasterConfig::try_from(config).map_err(|error| to_js(&error))?;
        let on_event = on_event
            .build_threadsafe_function()
            .build()
            .map_err(|error| Error::new("ERR_CLUTCH_BOOT".to_owned(), error.reason.clone()))?;
        let sink = Arc::new(move |event: String| {
            on_event.call(event, ThreadsafeFunctionCallMode::NonBlocking);
        });
        let handle = MasterHandle::new(config, sink).map_err(|error| to_js(&error))?;
        Ok(Self { handle })
    }

    /// Forks the agent; the rest follows, told by events.
    #[napi]
    pub fn start(&mut self) -> napi::Result<(), String> {
        self.handle.start().map_err(|error| to_js(&error))
    }

    /// Begins an orderly stop, which ends with an `exit` event; a second call changes nothing. `signal` is the name of the
    /// signal that asked for it, empty for none; `lines` are logged after the line that names it.
    #[napi]
    pub fn stop(&self, signal: String, lines: Vec<String>) -> napi::Result<(), String> {
        let signal = (!signal.is_empty()).then_some(signal);
        self.handle.stop(signal, lines).map_err(|error| to_js(&error))
    }

    /// Routes one message, given as JSON text. `origin` is `parent` or `master`.
    #[napi]
    pub fn deliver(&self, origin: String, message: String) -> napi::Result<(), String> {
        let origin = match origin.as_str() {
            "parent" => Origin::Parent,
            "master" => Origin::Master,
            _ => {
                let error = ClusterError::Option { name: "origin", expected: "'parent' or 'master'", found: origin };
                return Err(to_js(&error));
            }
        };
        self.handle.deliver(origin, message).map_err(|error| to_js(&error))
    }

    /// Logs one line in egg's console format; written when this returns. `level` is `debug`, `info`, `warn` or `error`.
    #[napi]
    pub fn log(&self, level: String, text: String) {
        let level = match level.as_str() {
            "error" => tracing::Level::ERROR,
            "warn" => tracing::Level::WARN,
            "info" => tracing::Level::INFO,
            _ => tracing::Level::DEBUG,
        };
        self.handle.log(level, &text);
    }

    /// A thread that was asked for runs; `threadId` is its id in Node and its address in messages.
    #[napi]
    pub fn thread_started(&self, thread: u32, thread_id: u32) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::Started { thread: ThreadKey(thread), id: thread_id })
    }

    /// A thread that was asked for could not be made.
    #[napi]
    pub fn thread_not_started(&self, thread: u32, reason: String) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::NotStarted { thread: ThreadKey(thread), reason })
    }

    /// A thread sent a message. `header` is its routing fields as JSON text; a `thread-relay` with this `ticket` says whom it is for.
    #[napi]
    pub fn thread_said(&self, thread: u32, ticket: u32, header: String) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::Said { thread: ThreadKey(thread), ticket: Ticket(ticket), header })
    }

    /// A thread has ended, after everything that it sent.
    #[napi]
    pub fn thread_exited(&self, thread: u32, code: i32) -> napi::Result<(), String> {
        self.note_thread(ThreadNews::Exited { thread: ThreadKey(thread), code })
    }

    fn note_thread(&self, news: ThreadNews) -> napi::Result<(), String> {
        self.handle.note_thread(news).map_err(|error| to_js(&error))
    }

    /// Asks something of the running cluster.
    ///
    /// Throws `ERR_CLUTCH_OPTION` where the request is none, `ERR_CLUTCH_CLOSED`.
    #[napi]
    pub fn request(&self, request: ClusterRequest) -> napi::Result<(), String> {
        let ticket = request.ticket.map(RequestId);
        let request = Request::try_from(request).map_err(|error| to_js(&error))?;
        self.handle.request(request, ticket).map_err(|error| to_js(&error))
    }

    /// Starts a new master in the place of this one. What is absent in `plan` is as it was for this one. An `answer` event with this `ticket`
    /// follows.
    #[napi]
    pub fn upgrade(&self, plan: MasterPlan, ticket: u32) -> napi::Result<(), String> {
        self.handle.upgrade(plan.into(), Some(RequestId(ticket))).map_err(|error| to_js(&error))
    }

    /// Answers an `environment` event: the environment that processes are forked with, `K=V`.
    #[napi]
    pub fn set_environment(&self, env: Vec<String>) -> napi::Result<(), String> {
        let env = env.into_iter().map(Into::into).collect();
        self.handle.set_environment(env).map_err(|error| to_js(&error))
    }

    /// A snapshot of the cluster as JSON text.
    #[napi]
    pub fn status(&self) -> napi::Result<String, String> {
        self.handle.status().map_err(|error| to_js(&error))
    }

    /// Asks for the JavaScript stack of the process with this pid, also of one that stands still. The answer is an event `stack` with this
    /// `ticket`, within a little more than a second; its `stack` is `null` where the process is idle or blocked outside of JavaScript,
    /// or there is none.
    #[napi]
    pub fn ask_stack(&self, pid: u32, ticket: u32) -> napi::Result<(), String> {
        self.handle.ask_stack(pid, ticket).map_err(|error| to_js(&error))
    }

    /// Where the master has pid 1: reaps adopted processes that had ended already at the last call of this. To be called after SIGCHLD,
    /// each time on another turn of the event loop.
    #[napi]
    pub fn reap_adopted(&self) -> napi::Result<(), String> {
        self.handle.reap_adopted().map_err(|error| to_js(&error))
    }

    /// Notes from now on who sends this process a signal: a stop that one asks for says so. To be called when all who listen for signals
    /// are there.
    #[napi]
    pub fn watch_signals(&self) {
        self.handle.watch_signals();
    }

    /// To be called at the event that tells JavaScript to exit. Where it is not, within the close time-outs, the process is ended without it.
    #[napi]
    pub fn end_heard(&self) {
        self.handle.note_end_heard();
    }

    /// To be called from process 'exit': logs the exit code, and removes the pid file and the name of the control socket.
    #[napi]
    pub fn exiting(&self, code: i32) {
        self.handle.note_exiting(code);
    }
}

/// An error as JavaScript sees it: `code` is stable, the message names the operand.
pub(super) fn to_js(error: &ClusterError) -> Error<String> {
    Error::new(error.code().to_owned(), error.to_string())
}
