/** What a worker has to tell of itself and of what it runs, under the names that Kafka Connect's metrics have in Prometheus. */
import type { WorkerTaskMetrics } from '../worker/task-metrics.ts'
import type { ConnectorViews } from './connector-views.ts'
import { MetricsText } from './metrics-text.ts'

export interface MetricsOf {
  readonly workerId: string
  readonly views: Pick<ConnectorViews, 'names' | 'status'>
  readonly leads: boolean
  readonly tasks: readonly WorkerTaskMetrics[]
}

/** In Prometheus's text format. Each worker tells what is its own: all of them together are the cluster. */
export function workerMetrics({ workerId, views, leads, tasks }: MetricsOf): string {
  const text = new MetricsText()
  addProcess(text)
  text.add('gauge', 'tidewire_worker_leads', 'Whether this worker leads its cluster', Number(leads))
  addStates(text, workerId, views)
  for (const each of tasks) addTask(text, each)
  return text.toString()
}

function addProcess(text: MetricsText): void {
  const { user, system } = process.cpuUsage()
  const started = Date.now() / 1000 - process.uptime()
  text.add('counter', 'process_cpu_seconds_total', 'Processor time, user and system', (user + system) / 1e6)
  text.add('gauge', 'process_resident_memory_bytes', 'Memory of the process', process.memoryUsage.rss())
  text.add('gauge', 'process_start_time_seconds', 'When the process began, since the epoch', started)
}

function addStates(text: MetricsText, workerId: string, views: MetricsOf['views']): void {
  let connectors = 0
  let running = 0
  for (const name of views.names()) {
    const { connector, tasks } = views.status(name)
    if (connector.worker_id === workerId && connector.state !== 'UNASSIGNED') {
      connectors++
      const labels = { connector: name, status: connector.state.toLowerCase() }
      text.add('gauge', 'kafka_connect_connector_status', 'State of a connector', 1, labels)
    }
    for (const { id, state, worker_id, progress } of tasks) {
      if (worker_id !== workerId || state === 'UNASSIGNED') continue
      running++
      const labels = { connector: name, task: id }
      const status = state.toLowerCase()
      text.add('gauge', 'kafka_connect_connector_task_status', 'State of a task', 1, { ...labels, status })
      for (const [figure, value] of Object.entries(progress?.figures ?? {})) {
        text.add('gauge', `tidewire_task_${figure}`, 'What tasks say of how they get on', value, labels)
      }
    }
  }
  text.add('gauge', 'kafka_connect_worker_connector_count', 'Connectors of this worker', connectors)
  text.add('gauge', 'kafka_connect_worker_task_count', 'Tasks of this worker', running)
}

function addTask(text: MetricsText, metrics: WorkerTaskMetrics): void {
  const { connector, task, type, polled, written, read, put, calls, restarts } = metrics
  const labels = { connector, task }
  const count = (name: string, help: string, value: number): void => text.add('counter', name, help, value, labels)
  if (type === 'source') {
    count('kafka_connect_source_task_source_record_poll_total', 'Records that the source gave', polled)
    count('kafka_connect_source_task_source_record_write_total', 'Records that the log took', written)
  } else {
    count('kafka_connect_sink_task_sink_record_read_total', 'Records read for the sink', read)
    count('kafka_connect_sink_task_sink_record_send_total', 'Records that the sink accepted', put)
  }
  count('tidewire_restarts_total', 'Restarts of the task since it came to this worker', restarts)
  for (const { step, count: times, ms } of calls) {
    const called = { ...labels, step }
    text.add('counter', 'tidewire_calls_total', 'Calls into the code of tasks, by step', times, called)
    text.add('counter', 'tidewire_call_seconds_total', 'How long these took', ms / 1000, called)
  }
}
