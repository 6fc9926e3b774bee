/** What requests and answers look like, for the OpenAPI document: the shapes that several routes have in common. */
import {
  about,
  flag,
  integer,
  listOf,
  mapOf,
  object,
  oneOfTexts,
  orNull,
  text,
  type JsonSchema,
} from './route-schema.ts'

export const errorBody: JsonSchema = {
  title: 'ErrorBody',
  ...object({
    error_code: about('The HTTP status once more', integer),
    message: about('What happened to what, and what to do next', text),
  }),
}

export const config: JsonSchema = {
  title: 'Config',
  ...mapOf(text, 'Settings by name. Secrets are shown as `********`; sent back, that stands for the stored value'),
}

/** As requests may have it. */
export const givenConfig: JsonSchema = {
  title: 'GivenConfig',
  ...mapOf({ type: ['string', 'number', 'boolean'] }, 'Settings by name; numbers and booleans are taken as text'),
}

export const initialState = oneOfTexts(['RUNNING', 'PAUSED', 'STOPPED'])

const taskId: JsonSchema = { title: 'TaskId', ...object({ connector: text, task: integer }) }

/** Of paths with `:task`. */
export const taskParams = object({ name: text, task: integer })

export const taskConfig: JsonSchema = { title: 'TaskConfig', ...object({ id: taskId, config }) }

const connectorType = oneOfTexts(['source', 'sink', 'unknown'], '`unknown`: its plugin is not there')

export const connectorInfo: JsonSchema = {
  title: 'ConnectorInfo',
  ...object({ name: text, config, tasks: listOf(taskId), type: connectorType }),
}

const state = oneOfTexts(
  ['UNASSIGNED', 'RUNNING', 'STALLED', 'PAUSED', 'FAILED', 'RESTARTING', 'STOPPED'],
  '`STALLED`: it has work and does not get on; the trace says what it waits for',
)
export const stateFields = {
  state,
  worker_id: about('host:port of the worker that runs it, or ran it last', text),
  version: about('Of the plugin', text),
  trace: about('Why it failed, or what it waits for', text),
}

const connectorState: JsonSchema = { title: 'ConnectorState', ...object(stateFields, ['version', 'trace']) }

export const progressFields = {
  text: about('In a line', text),
  figures: mapOf({ type: 'number' }, 'By name, with the unit in it: `rows_done`, `lag_bytes`'),
  at: about('When that was new', text),
}
const taskProgress: JsonSchema = {
  title: 'TaskProgress',
  ...about('How a task gets on, where it runs and says so', object(progressFields)),
}

export const taskState: JsonSchema = {
  title: 'TaskState',
  ...object({ id: integer, ...stateFields, progress: taskProgress }, ['version', 'trace', 'progress']),
}

export const connectorStatus: JsonSchema = {
  title: 'ConnectorStatus',
  ...object({ name: text, connector: connectorState, tasks: listOf(taskState), type: connectorType }),
}

export const plugin: JsonSchema = {
  title: 'Plugin',
  ...object(
    {
      class: about('What `connector.class` takes: the class it stands in for, or its short name', text),
      type: oneOfTexts(['source', 'sink', 'converter', 'header_converter', 'transformation', 'predicate', 'unknown']),
      version: text,
      name: about('Its short name, which `connector.class` takes too', text),
      signals: about('True where a connector takes signals', flag),
      error: about('Why it could not be loaded', text),
      location: about('Where what could not be loaded is', text),
    },
    ['version', 'signals', 'error', 'location'],
  ),
}

export const configKey: JsonSchema = {
  title: 'ConfigKey',
  ...object({
    name: text,
    type: about('BOOLEAN, STRING, INT, LONG, DOUBLE, LIST, CLASS, PASSWORD …', text),
    required: flag,
    default_value: { type: ['string', 'null'] },
    importance: text,
    documentation: text,
    group: { type: ['string', 'null'] },
    width: text,
    display_name: text,
    dependents: listOf(text),
    order_in_group: about('Within the group; -1 without one', integer),
  }),
}

const configValue: JsonSchema = {
  title: 'ConfigValue',
  ...object({
    name: text,
    value: { type: ['string', 'null'] },
    recommended_values: listOf(text),
    errors: listOf(text),
    visible: flag,
  }),
}

export const configInfos: JsonSchema = {
  title: 'ConfigInfos',
  ...object(
    {
      name: text,
      error_count: integer,
      groups: listOf(text),
      configs: listOf(object({ definition: orNull(configKey), value: configValue })),
      deep: about(
        'Of a deep validation: whether the connector has tried the config, and why not',
        object({ tried: flag, reason: text }, ['reason']),
      ),
    },
    ['deep'],
  ),
}

export const worker: JsonSchema = {
  title: 'Worker',
  ...object(
    {
      worker_id: text,
      url: about('Of its REST API', text),
      leader: flag,
      draining: flag,
      away_until: about('It vanished; its work waits for it until then (ISO 8601)', text),
      connectors: integer,
      tasks: integer,
    },
    ['away_until'],
  ),
}

export const health = { title: 'Health', ...object({ status: text, message: text }) }

export const shownBytes: JsonSchema = {
  title: 'ShownBytes',
  description: 'Bytes as text, or in base64 where they are no UTF-8',
  ...object(
    { encoding: oneOfTexts(['utf-8', 'base64']), data: text, size: about('Of all of it', integer), truncated: flag },
    ['truncated'],
  ),
}
