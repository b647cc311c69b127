//! More and fewer app workers, the restart of one, and the answers to those who wait for a reload.

use super::{
    Answer, Event, Exit, Forks, Report, RequestId, SIGKILL, Stage, agent, app, local, pid, production, seconds,
};
use egg_clutch::message::address::WorkerId;
use egg_clutch::slot::ExitReason;
use egg_clutch::supervisor::{BootFailure, Notice, Refusal, Resize, SupervisorConfig};

fn resize(stage: &mut Stage, to: Resize, ticket: u32) {
    stage.tell(Event::ResizeAsked { to, ticket: Some(RequestId(ticket)) });
}

fn reload(stage: &mut Stage, agent: Option<bool>, ticket: u32) {
    stage.tell(Event::ReloadAsked { agent, ticket: Some(RequestId(ticket)) });
}

fn restart(stage: &mut Stage, number: u32, ticket: u32) {
    stage.tell(Event::RestartAsked { number: WorkerId(number), ticket: Some(RequestId(ticket)) });
}

#[test]
fn more_workers_are_there_when_they_serve() {
    let mut stage = Stage::ready(production());
    resize(&mut stage, Resize::To(4), 1);
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.answers()), (vec![app(2, 1), app(3, 1)], Vec::new()));
    assert!(!asked.has_report(|report| matches!(report, Report::Degraded { .. })), "they are not missed yet");
    stage.listen(app(3, 1));
    assert_eq!(stage.take().answers(), []);
    stage.listen(app(2, 1));
    assert_eq!(stage.take().answers(), [(1, Answer::Resized { workers: 4 })]);
    assert_eq!(stage.view().target, 4);
}

#[test]
fn fewer_workers_are_there_when_the_others_have_left_and_nobody_comes_back() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 3, ..production() });
    resize(&mut stage, Resize::To(1), 1);
    let asked = stage.take();
    assert_eq!((asked.terminated(), asked.answers()), (vec![app(2, 1), app(1, 1)], Vec::new()));
    stage.leave(app(2, 1));
    stage.leave(app(1, 1));
    let asked = stage.take();
    assert_eq!(asked.answers(), [(1, Answer::Resized { workers: 1 })]);
    assert!(!asked.has_report(|report| matches!(report, Report::AppDied { .. })), "nobody died");
    stage.wait(seconds(120));
    assert_eq!((stage.take().spawned(), stage.serving()), (Vec::new(), vec![app(0, 1)]));
}

#[test]
fn one_less_goes_where_nobody_serves_and_one_more_comes_back_there_with_a_new_generation() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 3, ..local() });
    stage.exit(app(0, 1), SIGKILL);
    stage.take();
    resize(&mut stage, Resize::OneLess, 1);
    let asked = stage.take();
    assert_eq!((asked.terminated(), asked.answers()), (Vec::new(), vec![(1, Answer::Resized { workers: 2 })]));
    resize(&mut stage, Resize::OneMore, 2);
    assert_eq!(stage.take().spawned(), [app(0, 2)]);
    stage.listen(app(0, 2));
    assert_eq!(stage.take().answers(), [(2, Answer::Resized { workers: 3 })]);
}

#[test]
fn there_is_always_one_worker() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    resize(&mut stage, Resize::OneLess, 1);
    resize(&mut stage, Resize::To(0), 2);
    assert_eq!(stage.take().terminated(), []);
    assert_eq!(stage.view().target, 1);
}

#[test]
fn a_later_number_counts_and_both_are_told() {
    let mut stage = Stage::ready(production());
    resize(&mut stage, Resize::To(4), 1);
    resize(&mut stage, Resize::To(2), 2);
    let asked = stage.take();
    assert_eq!(asked.terminated(), [app(3, 1), app(2, 1)]);
    stage.leave(app(3, 1));
    stage.leave(app(2, 1));
    let told = [(1, Answer::Resized { workers: 2 }), (2, Answer::Resized { workers: 2 })];
    assert_eq!(stage.take().answers(), told);
}

#[test]
fn a_new_worker_that_does_not_boot_is_told_of_and_tried_again() {
    let mut stage = Stage::ready(production());
    resize(&mut stage, Resize::To(3), 1);
    stage.take();
    stage.close(app(2, 1));
    assert_eq!(stage.take().answers(), [], "nobody knows yet how it ended");
    stage.exit(app(2, 1), Exit::Code(1));
    let failure = BootFailure {
        who: app(2, 1),
        number: WorkerId(3),
        pid: Some(pid(app(2, 1))),
        was_overdue: false,
        end: Some((Exit::Code(1), ExitReason::BootFailed)),
    };
    assert_eq!(stage.take().answers(), [(1, Answer::Refused(Refusal::BootFailed(failure)))]);
    stage.wait(seconds(1));
    stage.listen(app(2, 2));
    assert_eq!(stage.serving(), [app(0, 1), app(1, 1), app(2, 2)]);
}

#[test]
fn a_slot_that_is_closed_during_a_reload_has_no_turn() {
    let mut stage = Stage::ready(SupervisorConfig { reload_concurrency: 1, ..production() });
    reload(&mut stage, None, 1);
    resize(&mut stage, Resize::To(1), 2);
    stage.listen(app(0, 2));
    let asked = stage.take();
    assert!(asked.has_report(|report| matches!(report, Report::ReloadDone { count: 1, .. })));
    assert_eq!(asked.answers(), [(1, Answer::Reloaded { workers: 1, agent: false })]);
}

#[test]
fn one_worker_is_restarted_by_a_successor_that_comes_first() {
    let mut stage = Stage::ready(production());
    restart(&mut stage, 2, 1);
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.terminated()), (vec![app(1, 2)], Vec::new()));
    stage.listen(app(1, 2));
    let asked = stage.take();
    assert_eq!((asked.terminated(), asked.answers()), (vec![app(1, 1)], vec![(1, Answer::Done)]));
    restart(&mut stage, 2, 2);
    assert_eq!(stage.take().answers(), [(2, Answer::Refused(Refusal::NoSuchWorker(WorkerId(2))))]);
}

fn progress(stage: &Stage) -> Option<(u32, u32)> {
    stage.view().renewal.map(|renewal| (renewal.total, renewal.done))
}

#[test]
fn so_many_slots_are_renewed_at_once() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 3, reload_concurrency: 2, ..production() });
    reload(&mut stage, None, 1);
    assert_eq!(stage.take().spawned(), [app(0, 2), app(1, 2)]);
    assert_eq!(progress(&stage), Some((3, 0)));
    stage.listen(app(1, 2));
    assert_eq!(progress(&stage), Some((3, 1)));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.terminated()), (vec![app(2, 2)], vec![app(1, 1)]));
    stage.listen(app(0, 2));
    assert_eq!(stage.take().answers(), []);
    stage.listen(app(2, 2));
    assert_eq!(stage.take().answers(), [(1, Answer::Reloaded { workers: 3, agent: false })]);
    assert_eq!(progress(&stage), None);
}

#[test]
fn a_failed_reload_leaves_those_whose_turn_had_not_come_and_tells_how_the_new_one_died() {
    let mut stage = Stage::ready(SupervisorConfig { reload_concurrency: 1, ..production() });
    reload(&mut stage, None, 1);
    stage.take();
    stage.close(app(0, 2));
    stage.exit(app(0, 2), SIGKILL);
    let asked = stage.take();
    let failure = BootFailure {
        who: app(0, 2),
        number: WorkerId(3),
        pid: Some(pid(app(0, 2))),
        was_overdue: false,
        end: Some((SIGKILL, ExitReason::BootFailed)),
    };
    assert_eq!(asked.answers(), [(1, Answer::Refused(Refusal::BootFailed(failure)))]);
    assert_eq!((asked.spawned(), stage.serving()), (Vec::new(), vec![app(0, 1), app(1, 1)]));
}

#[test]
fn a_fork_that_fails_is_told_of_without_an_end() {
    let mut stage = Stage::ready(production());
    stage.forks = Forks::Fail;
    reload(&mut stage, None, 1);
    let answers = stage.take().answers();
    assert!(
        matches!(answers[..], [(1, Answer::Refused(Refusal::BootFailed(BootFailure { pid: None, end: None, .. })))]),
        "{answers:?}"
    );
}

#[test]
fn all_who_ask_while_a_reload_runs_are_answered_by_the_next_one() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    for ticket in 1..=3 {
        reload(&mut stage, None, ticket);
    }
    stage.listen(app(0, 2));
    let answer = Answer::Reloaded { workers: 1, agent: false };
    assert_eq!(stage.take().answers(), [(1, answer.clone())]);
    stage.listen(app(0, 3));
    assert_eq!(stage.take().answers(), [(2, answer.clone()), (3, answer)]);
}

#[test]
fn the_agent_is_renewed_last_at_once_and_without_a_word_to_the_parent() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    reload(&mut stage, Some(true), 1);
    stage.listen(app(0, 2));
    assert_eq!(stage.take().terminated(), [app(0, 1), agent(1)]);
    stage.leave(agent(1));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.answers()), (vec![agent(2)], Vec::new()));
    assert!(asked.told().contains(&Notice::AgentPidToApps(None)));
    assert!(!asked.told().contains(&Notice::AgentDiedToParent));
    stage.tell(Event::AgentStarted { who: agent(2) });
    assert_eq!(stage.take().answers(), [(1, Answer::Reloaded { workers: 1, agent: true })]);
}

#[test]
fn a_renewed_agent_that_boots_for_longer_than_capacity_is_waited_for_does_not_end_the_cluster() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, boot_timeout: seconds(120), ..production() });
    reload(&mut stage, Some(true), 1);
    stage.listen(app(0, 2));
    stage.leave(agent(1));
    stage.wait(seconds(100));
    assert_eq!(stage.take().exit(), None);
    stage.tell(Event::AgentStarted { who: agent(2) });
    assert_eq!(stage.take().answers(), [(1, Answer::Reloaded { workers: 1, agent: true })]);
}

#[test]
fn a_new_agent_that_does_not_boot_fails_the_reload_and_is_tried_again() {
    let mut stage = Stage::ready(SupervisorConfig { workers: 1, ..production() });
    reload(&mut stage, Some(true), 1);
    stage.listen(app(0, 2));
    stage.leave(agent(1));
    stage.take();
    stage.exit(agent(2), Exit::Code(1));
    let answers = stage.take().answers();
    assert!(matches!(answers[..], [(1, Answer::Refused(Refusal::BootFailed(_)))]), "{answers:?}");
    stage.wait(seconds(1));
    assert_eq!(stage.take().spawned(), [agent(3)]);
}

#[test]
fn a_stop_answers_everybody() {
    let mut stage = Stage::ready(production());
    reload(&mut stage, None, 1);
    reload(&mut stage, None, 2);
    resize(&mut stage, Resize::To(3), 3);
    stage.tell(Event::StopAsked { signal: None });
    resize(&mut stage, Resize::To(3), 4);
    let numbers: Vec<u32> = stage.take().answers().into_iter().map(|(ticket, _)| ticket).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn nothing_is_asked_of_a_cluster_that_is_not_ready() {
    let mut stage = Stage::with_booting_apps(production());
    resize(&mut stage, Resize::To(3), 1);
    restart(&mut stage, 1, 2);
    let refused = Answer::Refused(Refusal::NotRunning);
    assert_eq!(stage.take().answers(), [(1, refused.clone()), (2, refused)]);
}

#[test]
fn a_restart_that_waits_while_its_slot_is_closed_starts_nobody_there() {
    let mut stage = Stage::ready(SupervisorConfig { reload_concurrency: 1, ..production() });
    reload(&mut stage, None, 1);
    restart(&mut stage, 2, 2);
    resize(&mut stage, Resize::To(1), 3);
    stage.take();
    stage.listen(app(0, 2));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.answers().pop()), (Vec::new(), Some((2, Answer::Done))));
}

#[test]
fn the_agent_alone_is_renewed_too_and_the_answer_comes_when_the_new_one_is_there() {
    let mut stage = Stage::ready(production());
    stage.tell(Event::AgentRestartAsked { ticket: Some(RequestId(1)) });
    assert_eq!(stage.take().terminated(), [agent(1)]);
    stage.leave(agent(1));
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.answers()), (vec![agent(2)], Vec::new()));
    stage.tell(Event::AgentStarted { who: agent(2) });
    assert_eq!(stage.take().answers(), [(1, Answer::Done)]);
}
