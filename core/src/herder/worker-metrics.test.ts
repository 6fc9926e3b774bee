import { expect, test } from 'vitest'
import { workerMetrics } from './worker-metrics.ts'

test('a worker tells of what is its own, in a form that Prometheus reads', () => {
  const at = '2026-01-01T00:00:00.000Z'
  const text = workerMetrics({
    workerId: 'w1:1',
    leads: true,
    views: {
      names: () => ['a "b"\\'],
      status: (name) => ({
        name,
        type: 'source',
        connector: { state: 'RUNNING', worker_id: 'w2:1' },
        tasks: [
          { id: 0, state: 'RUNNING', worker_id: 'w1:1', progress: { text: 'x', figures: { lag_bytes: 7.5 }, at } },
          { id: 1, state: 'RUNNING', worker_id: 'w2:1', progress: { text: 'x', figures: { lag_bytes: 8 }, at } },
          { id: 2, state: 'STALLED', worker_id: 'w1:1', progress: { text: 'x', figures: { lag_bytes: 9 }, at } },
        ],
      }),
    },
    tasks: [
      {
        connector: 'a "b"\\',
        task: 0,
        type: 'source',
        polled: 12,
        written: 11,
        read: 0,
        put: 0,
        restarts: 2,
        calls: [{ step: 'next', count: 3, ms: 1500 }],
      },
    ],
  })
  const own = text.split('\n').filter((line) => !line.includes('process_'))
  const name = 'connector="a \\"b\\"\\\\"'
  expect(own).toEqual([
    '# HELP tidewire_worker_leads Whether this worker leads its cluster',
    '# TYPE tidewire_worker_leads gauge',
    'tidewire_worker_leads 1',
    '# HELP kafka_connect_connector_task_status State of a task',
    '# TYPE kafka_connect_connector_task_status gauge',
    `kafka_connect_connector_task_status{${name},task="0",status="running"} 1`,
    `kafka_connect_connector_task_status{${name},task="2",status="stalled"} 1`,
    '# HELP tidewire_task_lag_bytes What tasks say of how they get on',
    '# TYPE tidewire_task_lag_bytes gauge',
    `tidewire_task_lag_bytes{${name},task="0"} 7.5`,
    `tidewire_task_lag_bytes{${name},task="2"} 9`,
    '# HELP kafka_connect_worker_connector_count Connectors of this worker',
    '# TYPE kafka_connect_worker_connector_count gauge',
    'kafka_connect_worker_connector_count 0',
    '# HELP kafka_connect_worker_task_count Tasks of this worker',
    '# TYPE kafka_connect_worker_task_count gauge',
    'kafka_connect_worker_task_count 2',
    '# HELP kafka_connect_source_task_source_record_poll_total Records that the source gave',
    '# TYPE kafka_connect_source_task_source_record_poll_total counter',
    `kafka_connect_source_task_source_record_poll_total{${name},task="0"} 12`,
    '# HELP kafka_connect_source_task_source_record_write_total Records that the log took',
    '# TYPE kafka_connect_source_task_source_record_write_total counter',
    `kafka_connect_source_task_source_record_write_total{${name},task="0"} 11`,
    '# HELP tidewire_restarts_total Restarts of the task since it came to this worker',
    '# TYPE tidewire_restarts_total counter',
    `tidewire_restarts_total{${name},task="0"} 2`,
    '# HELP tidewire_calls_total Calls into the code of tasks, by step',
    '# TYPE tidewire_calls_total counter',
    `tidewire_calls_total{${name},task="0",step="next"} 3`,
    '# HELP tidewire_call_seconds_total How long these took',
    '# TYPE tidewire_call_seconds_total counter',
    `tidewire_call_seconds_total{${name},task="0",step="next"} 1.5`,
    '',
  ])
  expect(text).toMatch(/\nprocess_resident_memory_bytes \d+\n/)
})
