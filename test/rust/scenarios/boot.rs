//! From the start to readiness.

use super::{
    Event, Exit, Forks, ListeningAddress, Notice, Report, SIGKILL, Stage, agent, app, local, millis, pid, production,
    seconds,
};
use egg_clutch::supervisor::SupervisorConfig;

#[test]
fn the_agent_is_forked_first_and_all_apps_at_once_when_it_has_started() {
    let mut stage = Stage::started(production());
    stage.wait(seconds(60));
    assert_eq!(stage.take().spawned(), [agent(1)]);
    stage.tell(Event::AgentStarted { who: agent(1) });
    assert_eq!(stage.take().spawned(), [app(0, 1), app(1, 1)]);
}

#[test]
fn where_only_some_may_boot_at_once_each_that_is_ready_makes_room_for_the_next() {
    let mut stage = Stage::started(SupervisorConfig { workers: 4, boots_at_once: 2, spares: 1, ..production() });
    stage.tell(Event::AgentStarted { who: agent(1) });
    assert_eq!(stage.take().spawned(), [agent(1), app(0, 1), app(1, 1)]);
    stage.listen(app(1, 1));
    assert_eq!(stage.take().spawned(), [app(2, 1)]);
    stage.listen(app(1, 1));
    assert_eq!(stage.take().spawned(), [], "a second server is no second start");
    stage.listen(app(2, 1));
    assert_eq!(stage.take().spawned(), [app(3, 1)]);
    stage.listen(app(0, 1));
    assert!(!stage.view().is_running, "one of four is still missing");
    stage.listen(app(3, 1));
    assert!(stage.view().is_running);
    assert_eq!(stage.take().spawned(), [app(4, 1)], "the spare comes when all are there");
}

#[test]
fn nobody_else_is_forked_when_one_of_those_that_boot_first_dies() {
    let mut stage = Stage::started(SupervisorConfig { workers: 4, boots_at_once: 1, ..production() });
    stage.tell(Event::AgentStarted { who: agent(1) });
    stage.take();
    stage.tell(Event::WorkerExited { who: app(0, 1), exit: Exit::Code(1) });
    let asked = stage.take();
    assert_eq!((asked.spawned(), asked.exit()), (vec![], Some(1)));
}

#[test]
fn readiness_is_told_to_the_parent_then_the_apps_then_the_agent() {
    let mut stage = Stage::with_booting_apps(production());
    stage.listen(app(1, 1));
    assert_eq!(stage.take().told(), [Notice::AppPidsToAgent(vec![pid(app(1, 1))])]);
    stage.listen(app(0, 1));
    let (address, protocol) = ("http://127.0.0.1:7001".to_owned(), "http".to_owned());
    let told = [
        // In fork order, whoever was ready first.
        Notice::AppPidsToAgent(vec![pid(app(0, 1)), pid(app(1, 1))]),
        Notice::ReadyToParent { port: Some(7001), address, protocol },
        Notice::ReadyToApps,
        Notice::ReadyToAgent,
    ];
    assert_eq!(stage.take().told(), told);
}

#[test]
fn an_app_counts_once_and_only_when_it_listens_on_the_expected_port() {
    let mut stage = Stage::with_booting_apps(production());
    stage.listen_on(app(0, 1), ListeningAddress { address_type: 4, address: None, port: 9_999 });
    assert!(stage.take().told().is_empty());
    stage.listen(app(0, 1));
    stage.listen(app(0, 1));
    assert_eq!(stage.take().told().len(), 1);
    assert!(!stage.view().is_running);
}

#[test]
fn the_port_that_an_app_tells_is_the_one_that_counts() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { workers: 1, ..production() });
    stage.tell(Event::RealPortTold { port: Some(8443), protocol: Some("https".to_owned()), address: None });
    stage.listen(app(0, 1));
    assert!(!stage.view().is_running);
    stage.listen_on(app(0, 1), ListeningAddress { address_type: 4, address: Some("10.0.0.7".to_owned()), port: 8_443 });
    assert_eq!(stage.view().address.as_deref(), Some("https://10.0.0.7:8443"));
}

#[test]
fn a_server_inside_an_app_does_not_count_before_the_app_has_told_its_port() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { workers: 1, port: None, ..production() });
    stage.listen_on(app(0, 1), ListeningAddress { address_type: 4, address: None, port: 9_999 });
    assert!(!stage.view().is_running);
    stage.tell(Event::RealPortTold { port: Some(7001), protocol: None, address: None });
    stage.listen(app(0, 1));
    assert_eq!(stage.view().address.as_deref(), Some("http://127.0.0.1:7001"));
}

#[test]
fn an_app_that_lets_the_kernel_choose_its_port_counts_with_any() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { workers: 1, port: None, ..production() });
    stage.tell(Event::RealPortTold { port: None, protocol: Some("http".to_owned()), address: None });
    stage.listen_on(app(0, 1), ListeningAddress { address_type: 4, address: None, port: 40_123 });
    let address = "http://127.0.0.1:40123".to_owned();
    let ready = Notice::ReadyToParent { port: Some(40_123), address, protocol: "http".to_owned() };
    assert!(stage.take().told().contains(&ready));
}

#[test]
fn a_unix_socket_always_counts_and_is_shown_as_its_path() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { workers: 1, ..production() });
    let path = "/run/app.sock".to_owned();
    stage.listen_on(app(0, 1), ListeningAddress { address_type: -1, address: Some(path.clone()), port: -1 });
    let ready = Notice::ReadyToParent { port: Some(7001), address: path, protocol: "http".to_owned() };
    assert!(stage.take().told().contains(&ready));
}

#[test]
fn an_app_dying_while_apps_boot_is_fatal_and_no_other_is_forked() {
    for (exit, config) in [(Exit::Code(1), production()), (SIGKILL, local())] {
        let mut stage = Stage::with_booting_apps(config);
        stage.listen(app(0, 1));
        stage.exit(app(1, 1), exit);
        let asked = stage.take();
        assert_eq!((asked.exit(), asked.spawned()), (Some(1), Vec::new()));
        assert!(asked.has_report(|report| matches!(report, Report::AppStartFailed { .. })));
        assert!(asked.terminated().is_empty(), "the others leave because their channel closes");
    }
}

#[test]
fn agent_dying_before_it_has_started_is_fatal() {
    let mut stage = Stage::started(production());
    stage.exit(agent(1), Exit::Code(1));
    assert_eq!(stage.take().exit(), Some(1));
}

#[test]
fn agent_dying_while_apps_boot_is_fatal() {
    let mut stage = Stage::with_booting_apps(production());
    stage.exit(agent(1), Exit::Code(0));
    let asked = stage.take();
    assert_eq!((asked.exit(), asked.spawned()), (Some(1), Vec::new()));
    assert!(asked.has_report(|report| matches!(report, Report::AgentStartFailed { .. })));
}

#[test]
fn a_fork_that_fails_before_readiness_is_fatal_and_said_once() {
    let mut stage = Stage::started(production());
    stage.forks = Forks::Fail;
    stage.tell(Event::AgentStarted { who: agent(1) });
    let asked = stage.take();
    assert_eq!(asked.exit(), Some(1));
    assert_eq!(asked.reports(|report| matches!(report, Report::AppStartFailed { .. })), 1);
}

#[test]
fn an_agent_that_hangs_while_it_boots_is_fatal_at_the_boot_timeout() {
    let mut stage = Stage::started(SupervisorConfig { boot_timeout: seconds(3), ..production() });
    stage.wait(millis(2_999));
    assert_eq!(stage.take().exit(), None);
    stage.wait(millis(1));
    let asked = stage.take();
    assert_eq!(asked.exit(), Some(1));
    assert!(asked.has_report(|report| matches!(report, Report::Overdue { is_booting: true, .. })));
}

#[test]
fn apps_that_all_hang_while_they_boot_are_fatal_once() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { boot_timeout: seconds(3), ..production() });
    stage.wait(seconds(3));
    let asked = stage.take();
    assert_eq!(asked.exit(), Some(1));
    assert_eq!(asked.reports(|report| matches!(report, Report::Overdue { .. })), 1);
}

#[test]
fn an_app_that_loses_its_channel_before_readiness_does_not_keep_the_master_waiting_for_ever() {
    let mut stage = Stage::with_booting_apps(production());
    stage.listen(app(0, 1));
    stage.close(app(1, 1));
    stage.listen(app(1, 1));
    assert!(!stage.view().is_running, "what comes after the close of its channel is stale");
    stage.wait(seconds(60));
    assert_eq!(stage.take().exit(), Some(1));
}

#[test]
fn every_app_learns_the_agents_pid_on_its_own_start_where_egg_4_expects_it() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { announce_agent_pid: true, ..production() });
    stage.listen(app(0, 1));
    let (who, agent) = (app(0, 1), pid(agent(1)));
    assert!(stage.take().told().contains(&Notice::AgentPidToApp { who, app: pid(who), agent }));
}

#[test]
fn inspect_ports_are_told_to_the_parent_only_where_a_debugger_is_meant() {
    let is_port = |notice: &Notice| matches!(notice, Notice::InspectPortToParent { .. });
    for is_debug in [false, true] {
        let mut stage = Stage::started(SupervisorConfig { is_debug, ..production() });
        stage.tell(Event::AgentStarted { who: agent(1) });
        assert_eq!(stage.take().told().iter().filter(|notice| is_port(notice)).count(), if is_debug { 3 } else { 0 });
    }
}

#[test]
fn a_reload_that_is_asked_for_before_readiness_is_not_needed() {
    let mut stage = Stage::with_booting_apps(production());
    stage.reload();
    assert!(stage.take().0.is_empty());
}

#[test]
fn a_sticky_cluster_is_ready_when_its_own_port_is_open_and_not_when_the_apps_listen() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { sticky_worker_port: Some(41_000), ..production() });
    let inner = ListeningAddress { address_type: 4, address: Some("127.0.0.1".to_owned()), port: 41_000 };
    stage.tell(Event::RealPortTold { port: Some(7002), protocol: None, address: Some("10.0.0.7".to_owned()) });
    stage.listen_on(app(0, 1), inner.clone());
    assert!(!stage.take().has_opened_sticky_port(Some(7002), Some("10.0.0.7")));
    stage.listen_on(app(1, 1), inner);
    assert!(stage.take().has_opened_sticky_port(Some(7002), Some("10.0.0.7")));
    assert!(!stage.view().is_running);
    let outer = ListeningAddress { address_type: 4, address: Some("10.0.0.7".to_owned()), port: 7_002 };
    stage.tell(Event::StickyPortOpened { address: outer });
    let (address, protocol) = ("http://10.0.0.7:7002".to_owned(), "http".to_owned());
    assert!(stage.take().told().contains(&Notice::ReadyToParent { port: Some(7002), address, protocol }));
}

#[test]
fn an_address_of_ipv6_is_shown_as_it_stands_in_a_url() {
    for (bound, shown_host) in [(Some("::1"), "127.0.0.1"), (None, "::1"), (None, "[::1]")] {
        let config = SupervisorConfig { workers: 1, shown_host: shown_host.to_owned(), ..production() };
        let mut stage = Stage::with_booting_apps(config);
        let address = bound.map(str::to_owned);
        stage.listen_on(app(0, 1), ListeningAddress { address_type: 6, address, port: 7001 });
        assert_eq!(stage.view().address.as_deref(), Some("http://[::1]:7001"), "{bound:?} {shown_host}");
    }
}

#[test]
fn in_a_sticky_cluster_only_the_inner_port_counts_as_a_start() {
    let config = SupervisorConfig { workers: 1, sticky_worker_port: Some(41_000), ..production() };
    let mut stage = Stage::with_booting_apps(config);
    stage.listen(app(0, 1));
    stage.listen_on(app(0, 1), ListeningAddress { address_type: -1, address: Some("/run/a".to_owned()), port: -1 });
    assert!(!stage.take().has_report(|report| matches!(report, Report::AppStarted { .. })));
}

#[test]
fn a_sticky_port_that_cannot_be_opened_is_fatal() {
    let config = SupervisorConfig { workers: 1, sticky_worker_port: Some(41_000), ..production() };
    let mut stage = Stage::with_booting_apps(config);
    stage.listen_on(app(0, 1), ListeningAddress { address_type: 4, address: None, port: 41_000 });
    stage.tell(Event::StickyPortFailed);
    assert_eq!(stage.take().exit(), Some(1));
}

#[test]
fn a_sticky_port_that_opens_when_an_app_is_lost_makes_no_cluster_ready() {
    let mut stage = Stage::with_booting_apps(SupervisorConfig { sticky_worker_port: Some(41_000), ..production() });
    let inner = ListeningAddress { address_type: 4, address: None, port: 41_000 };
    stage.listen_on(app(0, 1), inner.clone());
    stage.listen_on(app(1, 1), inner);
    stage.close(app(1, 1));
    stage.tell(Event::StickyPortOpened { address: ListeningAddress { address_type: 6, address: None, port: 7_001 } });
    assert!(!stage.view().is_running);
    stage.wait(seconds(60));
    assert_eq!(stage.take().exit(), Some(1));
}
