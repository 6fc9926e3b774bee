import { defineConfig, type ConfigOf } from '@tidewire/sdk'

export const sourceConfig = defineConfig({
  file: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'The file to read, as a path on the machine of the worker. It need not be there yet.',
  },
  topic: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'The topic to write the lines to.',
  },
  'batch.size': {
    type: 'int',
    minimum: 1,
    default: 2000,
    importance: 'low',
    doc: 'Most lines given to the worker at once.',
  },
  'poll.interval.ms': {
    type: 'int',
    minimum: 1,
    default: 100,
    importance: 'low',
    doc: 'How long to wait, in milliseconds, before looking again at a file that had nothing new.',
  },
})
export type FileSourceConfig = ConfigOf<typeof sourceConfig>

export const sinkConfig = defineConfig({
  file: {
    type: 'string',
    required: true,
    importance: 'high',
    doc: 'The file to write to, as a path on the machine of the worker. It is appended to; missing folders are made.',
  },
  'exactly.once': {
    type: 'boolean',
    default: false,
    importance: 'medium',
    doc: 'Whether each record is in the file once even after a crash. Keeps positions in `<file>.offsets` beside the file, and cuts off what a crash left beyond them. Nothing else may then write to the file.',
  },
})
export type FileSinkConfig = ConfigOf<typeof sinkConfig>
