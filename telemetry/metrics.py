"""Every metric: its name, its meaning, its labels. One table, by who exports it.

Names follow Prometheus' conventions (https://prometheus.io/docs/practices/naming/): base units,
`_total` on counters. No user, session, room or job is ever a label: their number has no bound, and
they are nobody's business. What a label may say stands here where it is known before, so that what
has never happened is 0 and not missing.
"""

from __future__ import annotations

from telemetry.metric import counter, gauge, histogram

#: Edges on what is promised: a start within 50 ms, an answer within a second.
REQUEST_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: Half an interval is late, a deadline is an accident.
PASS_EDGES_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: A neighbour on the same machine answers within a ms; the breaker waits for seconds.
CALL_EDGES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
#: Edges on what is promised of starts (docs/benchmarks.md): warm in half a second, all in two.
START_EDGES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60)
#: A conversation lives from answers within a second.
TURN_EDGES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
QUEUE_EDGES_S = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
CALL_LENGTH_EDGES_S = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

ANY: tuple[str, ...] = ()
_YES_NO = ("true", "false")

# --- the token server, of itself ---

HTTP_REQUESTS = counter(
    "http_requests_total",
    "Requests that were answered, by method, route and status.",
    method=ANY,
    route=ANY,
    status=ANY,
)
HTTP_DURATION = histogram(
    "http_request_duration_seconds",
    "How long answers took, but for a session's own, which may wait for a change.",
    REQUEST_EDGES_S,
    route=ANY,
)
RATE_LIMITED = counter(
    "http_rate_limited_total",
    "Requests that were refused because their caller sends too many.",
    route=ANY,
)
STARTS = counter(
    "session_starts_total",
    "Sessions asked for, by what came of it.",
    outcome=("started", "queued", "resumed", "repeated", "refused", "failed"),
)
REJECTS = counter(
    "session_rejects_total",
    "Sessions asked for and not given, by the code of the answer.",
    reason=(
        "at_capacity",
        "queue_full",
        "user_busy",
        "rate_limited",
        "idempotency_conflict",
        "session_over",
    ),
)
WEBHOOKS = counter(
    "webhooks_total",
    "Webhooks of LiveKit, by what came of them.",
    result=("applied", "repeated", "foreign_room", "of_no_matter", "unknown_session", "refused"),
)
WATCHERS = gauge("watchers", "Long polls and event streams that are open.")
BREAKER_OPEN = gauge(
    "breaker_open",
    "1 while the circuit to a neighbour is open, 0.5 while it is tried out, else 0.",
    dependency=("redis", "livekit"),
)

# --- whoever calls Redis and LiveKit ---

REDIS_DURATION = histogram(
    "redis_call_duration_seconds",
    "How long the store's steps took, the way to Redis and back included.",
    CALL_EDGES_S,
)
REDIS_FAILURES = counter("redis_call_failures_total", "Steps of the store that Redis did not do.")
LIVEKIT_DURATION = histogram(
    "livekit_call_duration_seconds",
    "How long calls of LiveKit's server API took.",
    CALL_EDGES_S,
    method=ANY,
)
LIVEKIT_FAILURES = counter(
    "livekit_call_failures_total",
    "Calls of LiveKit's server API that were not answered, or answered by a refusal.",
    method=ANY,
)

# --- a supervisor, of itself and of what it has put right while it led ---

SUPERVISOR_LEADS = gauge(
    "supervisor_leads",
    "1 while this process leads the supervision, else 0; all processes together: 1.",
)
STRANDED = gauge(
    "supervisor_stranded_sessions",
    "Sessions that wait for an agent while no worker is there; alert on any.",
)
PASS_DURATION = histogram(
    "supervisor_pass_duration_seconds", "How long one look of a loop took.", PASS_EDGES_S, loop=ANY
)
PASS_FAILURES = counter(
    "supervisor_pass_failures_total",
    "Looks of a loop that failed for a reason nobody has thought of, or took too long.",
    loop=ANY,
)
REPAIRS = counter(
    "supervisor_repairs_total",
    "What a loop has put right: agents sent, agents written off, rooms closed.",
    loop=ANY,
)

_TOLD = ("alert", "event")
NOTICES = counter(
    "notices_total",
    "Alerts and events of sessions that were to be posted to others, by what came of an attempt.",
    kind=_TOLD,
    result=("delivered", "failed", "refused", "gone", "given_up", "missed"),
)
NOTICES_WAITING = gauge("notices_waiting", "Those that are not delivered yet.", kind=_TOLD)
NOTICE_AGE = gauge("notice_oldest_seconds", "How old the oldest of these is.", kind=_TOLD)

# --- the fleet as Redis has it: each token server tells the same ---

SESSIONS = gauge(
    "sessions",
    "Sessions there are now, by state.",
    state=("queued", "starting", "ready", "active", "recovering", "ending"),
)
SLOTS = gauge("slots", "How many sessions may have a slot at once.")
SLOTS_TAKEN = gauge("slots_taken", "How many of them are taken.")
QUEUE_LENGTH = gauge("queue_length", "How many sessions wait for a slot.")
QUEUE_OLDEST_WAIT = gauge("queue_oldest_wait_seconds", "How long the first of them has waited.")
WORKERS = gauge("workers", "Workers there are.", draining=_YES_NO)
WORKERS_DESIRED = gauge(
    "workers_desired", "How many workers that take calls there shall be; scale by it."
)
PLACES = gauge("places", "How many calls workers that do not drain take at once.")
PLACES_TAKEN = gauge("places_taken", "How many of them are taken.")
POOL_TARGET = gauge("pool_target", "How many warm processes an admin wants, if one has said so.")
POOL_TUNED = gauge("pool_tuned", "How many warm processes the traffic asks for.")
POOL_WARM = gauge("pool_warm", "How many wait for a call.")
POOL_SPAWNED = counter("pool_spawned_total", "Processes that workers have started.")
CLAIMS = counter(
    "claims_total", "Sessions that an agent took, by whether its process was warm.", warm=_YES_NO
)
OUTCOMES = counter(
    "session_outcomes_total",
    "Changes of sessions that count: a slot, a first agent, failed, over, given up in line.",
    outcome=("admitted", "ready", "failed", "ended", "expired"),
)
LOSSES = counter(
    "agents_lost_total",
    "Agents that were written off, so that another one is sent, by what was wrong.",
    cause=("crashed", "lapsed", "no_agent", "not_sent", "no_worker", "handed_over"),
)
OUTAGES = gauge("provider_outages", "Models that are left alone because they fail.")

# --- a worker, of its processes ---

WORKER_INFO = gauge("worker_info", "Which worker this is; always 1.", version=ANY, isolation=ANY)
WORKER_CAPACITY = gauge("worker_capacity", "How many calls this worker takes at once.")
WORKER_CALLS = gauge("worker_calls", "How many it has.")
WORKER_WARM = gauge("worker_warm_processes", "Warm processes that wait for a call.")
WORKER_TARGET = gauge("worker_pool_target", "How many of them there shall be.")
WORKER_LIMITED = gauge("worker_limited", "1 while its processes do not start, else 0.")
WORKER_DRAINING = gauge("worker_draining", "1 while it takes no more calls, else 0.")
WORKER_REGISTERED = gauge("worker_registered", "1 while LiveKit knows it, else 0.")
WORKER_SPAWNED = counter("worker_processes_started_total", "Processes that it has started.")
WORKER_CRASHES = counter("worker_crashes_total", "Processes that ended in the middle of a call.")
WORKER_READY = histogram(
    "worker_process_ready_seconds", "How long processes took until they were warm.", START_EDGES_S
)
JOB_PROCESSES = gauge("job_processes", "Processes that have a call or wait for one.")
JOB_MEMORY = gauge(
    "job_memory_bytes", "What they have in memory (RSS), with what they share counted each time."
)
JOB_CPU = counter("job_cpu_seconds_total", "CPU time of processes that have had a call.")

# --- calls, from the processes that have them ---

START_DURATION = histogram(
    "start_duration_seconds",
    "From the slot to an agent that can be heard, by whether its process was warm.",
    START_EDGES_S,
    warm=_YES_NO,
)
PHASE_DURATION = histogram(
    "start_step_duration_seconds",
    "How long each step of a start took, by whether the agent's process was warm.",
    START_EDGES_S,
    phase=("send", "dispatch", "accept", "launch", "join", "publish", "greeting"),
    warm=_YES_NO,
)
QUEUE_WAIT = histogram(
    "queue_wait_seconds", "How long sessions that have an agent had waited in line.", QUEUE_EDGES_S
)
TURN_DURATION = histogram(
    "turn_duration_seconds",
    "How long the stages of an answer took; `answer`: from the user's last sound to the first.",
    TURN_EDGES_S,
    stage=("transcription", "end_of_turn", "first_token", "first_sound", "answer"),
)
TURNS = counter("turns_total", "What was said, by whom.", role=("user", "assistant"))
INTERRUPTIONS = counter("interruptions_total", "Answers that the user has interrupted.")
PROVIDER_FAILURES = counter(
    "provider_failures_total",
    "Requests that a model did not answer, by its stage and what went wrong.",
    stage=("stt", "llm", "tts", "realtime", "other"),
    kind=("silent", "unreachable", "busy", "denied", "broken", "rejected", "bug", "other"),
)
CALLS = counter(
    "calls_total",
    "Calls that an agent has left: as somebody wished, failed, or for another agent to go on.",
    verdict=("ended", "failed", "left"),
)
CALL_DURATION = histogram(
    "call_duration_seconds", "How long agents stayed in a call.", CALL_LENGTH_EDGES_S
)
FIGURES_LOST = counter(
    "figures_lost_total", "Figures that a worker was sent by its calls, and did not understand."
)

# --- whoever sends spans ---

SPANS_LOST = counter(
    "trace_spans_lost_total", "Spans that no receiver has taken, or for which there was no room."
)

TRACES = (SPANS_LOST,)
NEIGHBOURS = (REDIS_DURATION, REDIS_FAILURES, LIVEKIT_DURATION, LIVEKIT_FAILURES)
SUPERVISOR = (
    *(SUPERVISOR_LEADS, STRANDED, PASS_DURATION, PASS_FAILURES, REPAIRS),
    *(NOTICES, NOTICES_WAITING, NOTICE_AGE),
)
API = (
    *(HTTP_REQUESTS, HTTP_DURATION, RATE_LIMITED, STARTS, REJECTS, WEBHOOKS, WATCHERS),
    BREAKER_OPEN,
)
FLEET = (
    *(SESSIONS, SLOTS, SLOTS_TAKEN, QUEUE_LENGTH, QUEUE_OLDEST_WAIT, WORKERS, WORKERS_DESIRED),
    *(PLACES, PLACES_TAKEN, POOL_TARGET, POOL_TUNED, POOL_WARM, POOL_SPAWNED, CLAIMS, OUTCOMES),
    *(LOSSES, OUTAGES),
)
WORKER_EVENTS = (WORKER_CRASHES, WORKER_READY, FIGURES_LOST)
WORKER_STATE = (
    *(WORKER_INFO, WORKER_CAPACITY, WORKER_CALLS, WORKER_WARM, WORKER_TARGET, WORKER_LIMITED),
    *(WORKER_DRAINING, WORKER_REGISTERED, WORKER_SPAWNED, JOB_PROCESSES, JOB_MEMORY),
)
OF_CALLS = (
    *(START_DURATION, PHASE_DURATION, QUEUE_WAIT, TURN_DURATION, TURNS, INTERRUPTIONS),
    *(PROVIDER_FAILURES, CALLS, CALL_DURATION, JOB_CPU),
)
