// Made by scripts/rest-docs.ts from docs/openapi.json: npm run docs

export type BulkChange = {
  readonly action: 'create' | 'update' | 'unchanged' | 'delete'
  /** By setting; secrets are masked, null is: not set */
  readonly changes?: Readonly<Record<string, { readonly from: string | null; readonly to: string | null }>>
  /** Of a dry run: what is wrong with the config, by setting */
  readonly errors?: Readonly<Record<string, readonly string[]>>
  readonly warnings?: readonly string[]
}

export type BulkResult = {
  readonly dryRun: boolean
  /** What was done to each, or would be */
  readonly connectors: Readonly<Record<string, BulkChange>>
}

/** The data of an event, by its name */
export type ClusterEvent =
  | { readonly connector: string; readonly change: 'created' | 'updated' | 'deleted'; readonly config?: Config }
  | { readonly connector: string; readonly state: 'STARTED' | 'PAUSED' | 'STOPPED' }
  | { readonly connector: string; readonly tasks: number }
  | {
      readonly connector: string
      readonly task?: number
      /** `STALLED`: it has work and does not get on; the trace says what it waits for */
      readonly state: 'UNASSIGNED' | 'RUNNING' | 'STALLED' | 'PAUSED' | 'FAILED' | 'RESTARTING' | 'STOPPED'
      /** host:port of the worker that runs it, or ran it last */
      readonly worker_id: string
      /** Of the plugin */
      readonly version?: string
      /** Why it failed, or what it waits for */
      readonly trace?: string
    }
  | {
      readonly connector: string
      readonly task: number
      /** In a line */
      readonly text: string
      /** By name, with the unit in it: `rows_done`, `lag_bytes` */
      readonly figures: Readonly<Record<string, number>>
      /** When that was new */
      readonly at: string
    }
  | {
      readonly workers: readonly {
        readonly worker_id: string
        readonly leader: boolean
        readonly draining: boolean
        readonly away_until?: string
      }[]
    }
  | Readonly<Record<string, never>>

/** Settings by name. Secrets are shown as `********`; sent back, that stands for the stored value */
export type Config = Readonly<Record<string, string>>

export type ConfigInfos = {
  readonly name: string
  readonly error_count: number
  readonly groups: readonly string[]
  readonly configs: readonly { readonly definition: ConfigKey | null; readonly value: ConfigValue }[]
  /** Of a deep validation: whether the connector has tried the config, and why not */
  readonly deep?: { readonly tried: boolean; readonly reason?: string }
}

export type ConfigKey = {
  readonly name: string
  /** BOOLEAN, STRING, INT, LONG, DOUBLE, LIST, CLASS, PASSWORD … */
  readonly type: string
  readonly required: boolean
  readonly default_value: string | null
  readonly importance: string
  readonly documentation: string
  readonly group: string | null
  readonly width: string
  readonly display_name: string
  readonly dependents: readonly string[]
  /** Within the group; -1 without one */
  readonly order_in_group: number
}

export type ConfigValue = {
  readonly name: string
  readonly value: string | null
  readonly recommended_values: readonly string[]
  readonly errors: readonly string[]
  readonly visible: boolean
}

export type ConnectorInfo = {
  readonly name: string
  readonly config: Config
  readonly tasks: readonly TaskId[]
  /** `unknown`: its plugin is not there */
  readonly type: 'source' | 'sink' | 'unknown'
}

export type ConnectorOffset = {
  /** As the source has it; of a sink `kafka_topic` and `kafka_partition` */
  readonly partition: Readonly<Record<string, unknown>>
  /** As the source has it; of a sink `kafka_offset`. Null: forgotten */
  readonly offset: Readonly<Record<string, unknown>> | null
}

export type ConnectorOffsets = { readonly offsets: readonly ConnectorOffset[] }

export type ConnectorState = {
  /** `STALLED`: it has work and does not get on; the trace says what it waits for */
  readonly state: 'UNASSIGNED' | 'RUNNING' | 'STALLED' | 'PAUSED' | 'FAILED' | 'RESTARTING' | 'STOPPED'
  /** host:port of the worker that runs it, or ran it last */
  readonly worker_id: string
  /** Of the plugin */
  readonly version?: string
  /** Why it failed, or what it waits for */
  readonly trace?: string
}

export type ConnectorStatus = {
  readonly name: string
  readonly connector: ConnectorState
  readonly tasks: readonly TaskState[]
  /** `unknown`: its plugin is not there */
  readonly type: 'source' | 'sink' | 'unknown'
}

export type DeadLetter = {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly redriven: boolean
  readonly connector: string | null
  readonly stage: string | null
  readonly operation: string | null
  readonly exception: string | null
  readonly message: string | null
  readonly origin: {
    readonly topic: string | null
    readonly partition: string | number | null
    readonly offset: string | number | null
  }
  readonly key: ShownBytes | null
  readonly value: ShownBytes | null
  readonly headers: readonly { readonly key: string; readonly value: ShownBytes | null }[]
}

export type DeadLetters = {
  readonly topic: string
  readonly partitions: readonly {
    readonly partition: number
    readonly earliest: number
    readonly latest: number
    readonly redriven: number | null
  }[]
  /** Where a next call goes on */
  readonly next: readonly { readonly partition: number; readonly offset: number }[]
  readonly letters: readonly DeadLetter[]
}

export type ErrorBody = {
  /** The HTTP status once more */
  readonly error_code: number
  /** What happened to what, and what to do next */
  readonly message: string
}

/** Settings by name; numbers and booleans are taken as text */
export type GivenConfig = Readonly<Record<string, string | number | boolean>>

export type Health = { readonly status: string; readonly message: string }

export type LoggerLevel = {
  readonly level: 'ALL' | 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL' | 'OFF'
  /** Milliseconds since the epoch; null: as it was at the start */
  readonly last_modified: number | null
}

export type OffsetsChange = {
  readonly offsets?: readonly ConnectorOffset[]
  readonly from?: OffsetsFrom
  /** Of a sink: only these */
  readonly topics?: readonly string[]
}

export type OffsetsFrom =
  | 'earliest'
  | 'latest'
  | {
      /** ms since 1970, or ISO 8601 */
      readonly timestamp: number | string
    }
  | { readonly offset: number }

export type OffsetsMessage = {
  /** What was done, and whether there is more to do on the other side */
  readonly message: string
  /** Where a place was asked for: what was set */
  readonly offsets?: readonly ConnectorOffset[]
}

export type Plugin = {
  /** What `connector.class` takes: the class it stands in for, or its short name */
  readonly class: string
  readonly type: 'source' | 'sink' | 'converter' | 'header_converter' | 'transformation' | 'predicate' | 'unknown'
  readonly version?: string
  /** Its short name, which `connector.class` takes too */
  readonly name: string
  /** True where a connector takes signals */
  readonly signals?: boolean
  /** Why it could not be loaded */
  readonly error?: string
  /** Where what could not be loaded is */
  readonly location?: string
}

export type Preview = {
  readonly name: string
  readonly type: 'source' | 'sink'
  readonly task: number
  /** How many the work is split into */
  readonly tasks: number
  readonly records: readonly PreviewedRecord[]
  /** Why there is no more of it */
  readonly ended: 'limit' | 'bytes' | 'timeout' | 'end' | 'failed'
  readonly error?: string
  /** What the connector had to say */
  readonly log: readonly { readonly level: string; readonly message: string; readonly details: string }[]
  readonly warnings: readonly string[]
}

export type PreviewRequest = {
  readonly name?: string
  /** Of an existing connector: in place of the stored one */
  readonly config?: GivenConfig
  /** Most records */
  readonly limit?: number
  readonly timeoutMs?: number
  /** Of the answer */
  readonly maxBytes?: number
  readonly from?:
    | 'earliest'
    | 'latest'
    | 'committed'
    | readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
  /** Which of those that the work is split into */
  readonly task?: number
}

export type PreviewedRecord = {
  readonly topic: string
  /** Of a source: null where the key decides */
  readonly partition: number | null
  readonly offset?: number
  readonly timestamp: number | null
  readonly sourcePartition?: unknown
  readonly sourceOffset?: unknown
  readonly key: PreviewedValue
  readonly value: PreviewedValue
  readonly headers: readonly {
    readonly key: string
    readonly value?: unknown
    readonly schema?: unknown
    readonly bytes?: ShownBytes | null
  }[]
  /** The alias of the transform that drops it; it is shown as it was before */
  readonly dropped?: string
  readonly errors: readonly {
    readonly stage: string
    readonly operation: string
    readonly exception: string
    readonly message: string
  }[]
}

export type PreviewedValue = {
  /** As the source gave it, or as the sink would get it */
  readonly value?: unknown
  /** In the JSON converter’s notation */
  readonly schema?: unknown
  /** As it is, or would be, in the log */
  readonly bytes?: ShownBytes | null
}

export type RedriveEnd = {
  readonly done: true
  /** Why there is no more of it */
  readonly ended: 'limit' | 'timeout' | 'end' | 'failed'
  readonly error?: string
  /** Where the next re-drive of all begins */
  readonly redriven?: readonly { readonly partition: number; readonly offset: number }[]
}

/** Which letters: `offsets`, or `partition`, `from` and `to` (one past the last); default: all since the last re-drive */
export type RedriveRequest = {
  readonly offsets?: readonly { readonly partition: number; readonly offset: number }[]
  readonly partition?: number
  readonly from?: number
  readonly to?: number
  readonly limit?: number
  readonly timeoutMs?: number
  /** Converts only */
  readonly dryRun?: boolean
}

export type RedrivenLetter = {
  readonly partition: number
  readonly offset: number
  readonly outcome: 'delivered' | 'deliverable' | 'rejected' | 'skipped' | 'unfinished'
  readonly to?: { readonly topic: string; readonly partition: number; readonly offset: number }
  readonly stage?: string
  readonly reason?: string
}

export type RedrivenLine = RedrivenLetter | RedriveEnd

/** Bytes as text, or in base64 where they are no UTF-8 */
export type ShownBytes = {
  readonly encoding: 'utf-8' | 'base64'
  readonly data: string
  /** Of all of it */
  readonly size: number
  readonly truncated?: boolean
}

export type Signal = {
  /** Tells it apart, at most 128 characters; one is made where there is none */
  readonly id?: string
  /** Which: letters, digits, `.`, `_` and `-`, at most 64 */
  readonly type: string
  /** What more there is to say */
  readonly data?: Readonly<Record<string, unknown>>
}

export type TailedBytes = {
  readonly encoding: 'utf-8' | 'json' | 'base64'
  /** Text, or the JSON value */
  readonly data: unknown
  /** Of all of it, in bytes */
  readonly size: number
  readonly truncated?: boolean
}

export type TailedRecord = {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: TailedBytes | null
  readonly value: TailedBytes | null
  readonly headers: readonly { readonly key: string; readonly value: TailedBytes | null }[]
}

export type TaskConfig = { readonly id: TaskId; readonly config: Config }

export type TaskId = { readonly connector: string; readonly task: number }

/** How a task gets on, where it runs and says so */
export type TaskProgress = {
  /** In a line */
  readonly text: string
  /** By name, with the unit in it: `rows_done`, `lag_bytes` */
  readonly figures: Readonly<Record<string, number>>
  /** When that was new */
  readonly at: string
}

export type TaskState = {
  readonly id: number
  /** `STALLED`: it has work and does not get on; the trace says what it waits for */
  readonly state: 'UNASSIGNED' | 'RUNNING' | 'STALLED' | 'PAUSED' | 'FAILED' | 'RESTARTING' | 'STOPPED'
  /** host:port of the worker that runs it, or ran it last */
  readonly worker_id: string
  /** Of the plugin */
  readonly version?: string
  /** Why it failed, or what it waits for */
  readonly trace?: string
  readonly progress?: TaskProgress
}

export type WantedConnector = {
  readonly config: GivenConfig
  /** Where it is not there yet: what it begins as (default RUNNING) */
  readonly initial_state?: 'RUNNING' | 'PAUSED' | 'STOPPED'
}

export type Worker = {
  readonly worker_id: string
  /** Of its REST API */
  readonly url: string
  readonly leader: boolean
  readonly draining: boolean
  /** It vanished; its work waits for it until then (ISO 8601) */
  readonly away_until?: string
  readonly connectors: number
  readonly tasks: number
}

/** By method and path: what a call takes, and what it gives (an answer, lines or events). */
export interface Operations {
  /** What this worker is; to a browser, the console */
  'GET /': { readonly answer: { readonly version: string; readonly commit: string; readonly kafka_cluster_id: string } }
  /** Hands all work of this worker to the others, before a planned stop */
  'PUT /admin/drain': { readonly answer: { readonly connectors: number; readonly tasks: number } | undefined }
  /** The loggers of this worker, with their levels */
  'GET /admin/loggers': { readonly answer: Readonly<Record<string, LoggerLevel>> }
  /** The level of a logger */
  'GET /admin/loggers/{logger}': { readonly path: { readonly logger: string }; readonly answer: LoggerLevel }
  /** Sets the level of a logger and of those below it, until the worker ends */
  'PUT /admin/loggers/{logger}': {
    readonly path: { readonly logger: string }
    readonly query: { readonly scope?: 'worker' | 'cluster' }
    readonly body: { readonly level: 'ALL' | 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL' | 'OFF' }
    readonly answer: readonly string[] | undefined
  }
  /** Has all secrets in the config topic encrypted with the newest key */
  'PUT /admin/reencrypt': { readonly answer: Readonly<Record<string, 'current' | 'reencrypted' | 'unreadable'>> }
  /** The workers of the cluster */
  'GET /admin/workers': { readonly answer: readonly Worker[] }
  /** Plugins, every version of each; what could not be loaded too */
  'GET /connector-plugins': {
    readonly query: { readonly connectorsOnly?: boolean }
    readonly answer: readonly Plugin[]
  }
  /** A plugin’s settings */
  'GET /connector-plugins/{plugin}/config': {
    readonly path: { readonly plugin: string }
    readonly query: {
      /** One, a range as `[1.0,2.0)`, or `latest` */
      readonly version?: string
    }
    readonly answer: readonly ConfigKey[]
  }
  /** Checks a config, and stores nothing: every setting with its definition, value and errors */
  'PUT /connector-plugins/{plugin}/config/validate': {
    readonly path: { readonly plugin: string }
    readonly query: {
      /** The connector is to try it as well: log in, look whether what it names is there. 10 s */
      readonly deep?: boolean
    }
    readonly body: GivenConfig
    readonly answer: ConfigInfos
  }
  /** Names of all connectors; with `expand`, what is known of each by name */
  'GET /connectors': {
    readonly query: { readonly expand?: readonly ('status' | 'info')[] }
    readonly answer:
      readonly string[] | Readonly<Record<string, { readonly status?: ConnectorStatus; readonly info?: ConnectorInfo }>>
  }
  /** Creates a connector */
  'POST /connectors': {
    readonly body: {
      readonly name: string
      readonly config: GivenConfig
      readonly initial_state?: 'RUNNING' | 'PAUSED' | 'STOPPED'
    }
    readonly answer: ConnectorInfo
  }
  /** Makes the connectors what the configs say: creates, changes, leaves alone and, if so asked, deletes */
  'PUT /connectors': {
    readonly query: {
      /** Delete the connectors that are not named */
      readonly delete?: boolean
      /** Say what would be done, and do nothing */
      readonly dryRun?: boolean
    }
    readonly body: Readonly<Record<string, GivenConfig | WantedConnector>>
    readonly answer: BulkResult
  }
  /** What a connector would do, of a config that need not be stored; nothing is written */
  'POST /connectors/preview': { readonly body?: PreviewRequest; readonly answer: Preview }
  /** A connector */
  'GET /connectors/{name}': { readonly path: { readonly name: string }; readonly answer: ConnectorInfo }
  /** Deletes a connector, and ends its tasks */
  'DELETE /connectors/{name}': { readonly path: { readonly name: string }; readonly answer: undefined }
  /** A connector’s config */
  'GET /connectors/{name}/config': { readonly path: { readonly name: string }; readonly answer: Config }
  /** Creates a connector, or gives it another config */
  'PUT /connectors/{name}/config': {
    readonly path: { readonly name: string }
    readonly body: GivenConfig
    readonly answer: ConnectorInfo
  }
  /** Changes the given settings of a connector; null removes one */
  'PATCH /connectors/{name}/config': {
    readonly path: { readonly name: string }
    readonly body: Readonly<Record<string, string | number | boolean | null>>
    readonly answer: ConnectorInfo
  }
  /** A connector’s dead letters */
  'GET /connectors/{name}/dlq': {
    readonly path: { readonly name: string }
    readonly query: {
      readonly limit?: number
      readonly partition?: number
      /** An offset, `earliest` or `redriven` */
      readonly from?: string
    }
    readonly answer: DeadLetters
  }
  /** Puts dead letters back through the connector: a line for each as soon as it is certain, and one at the end */
  'POST /connectors/{name}/dlq/redrive': {
    readonly path: { readonly name: string }
    readonly body?: RedriveRequest
    readonly line: RedrivenLine
  }
  /** How far a connector has come */
  'GET /connectors/{name}/offsets': { readonly path: { readonly name: string }; readonly answer: ConnectorOffsets }
  /** Sets offsets of a stopped connector: those given, or those of a place to begin from */
  'PATCH /connectors/{name}/offsets': {
    readonly path: { readonly name: string }
    readonly body?: OffsetsChange
    readonly answer: OffsetsMessage
  }
  /** Forgets the offsets of a stopped connector: it begins anew */
  'DELETE /connectors/{name}/offsets': { readonly path: { readonly name: string }; readonly answer: OffsetsMessage }
  /** Pauses a connector: its tasks stay, and do nothing */
  'PUT /connectors/{name}/pause': { readonly path: { readonly name: string }; readonly answer: undefined }
  /** What a connector would do; nothing is written */
  'POST /connectors/{name}/preview': {
    readonly path: { readonly name: string }
    readonly body?: PreviewRequest
    readonly answer: Preview
  }
  /** Restarts a connector, its tasks, or what of both has failed */
  'POST /connectors/{name}/restart': {
    readonly path: { readonly name: string }
    readonly query: { readonly includeTasks?: boolean; readonly onlyFailed?: boolean }
    readonly answer: ConnectorStatus | undefined
  }
  /** Lets a paused or stopped connector go on */
  'PUT /connectors/{name}/resume': { readonly path: { readonly name: string }; readonly answer: undefined }
  /** Sends a connector a signal: something that its tasks are to do while they run */
  'POST /connectors/{name}/signals': {
    readonly path: { readonly name: string }
    readonly body: Signal
    readonly answer: { readonly id: string }
  }
  /** States of a connector and its tasks */
  'GET /connectors/{name}/status': { readonly path: { readonly name: string }; readonly answer: ConnectorStatus }
  /** Stops a connector: it has no tasks until it is resumed */
  'PUT /connectors/{name}/stop': { readonly path: { readonly name: string }; readonly answer: undefined }
  /** A connector’s tasks, with their configs */
  'GET /connectors/{name}/tasks': { readonly path: { readonly name: string }; readonly answer: readonly TaskConfig[] }
  /** Restarts a task */
  'POST /connectors/{name}/tasks/{task}/restart': {
    readonly path: { readonly name: string; readonly task: number }
    readonly answer: undefined
  }
  /** State of a task */
  'GET /connectors/{name}/tasks/{task}/status': {
    readonly path: { readonly name: string; readonly task: number }
    readonly answer: TaskState
  }
  /** The topics that a connector has used, by its name */
  'GET /connectors/{name}/topics': {
    readonly path: { readonly name: string }
    readonly answer: Readonly<Record<string, { readonly topics: readonly string[] }>>
  }
  /** Empties the list of topics; what goes on being used is in it again soon */
  'PUT /connectors/{name}/topics/reset': { readonly path: { readonly name: string }; readonly answer: undefined }
  /** This document as a page to read */
  'GET /docs': object
  /** Changes of connectors, tasks and workers, as server-sent events */
  'GET /events': {
    readonly query: {
      /** Of these alone */
      readonly connector?: readonly string[]
    }
    readonly event: ClusterEvent
  }
  /** Whether this worker is ready, and gets on */
  'GET /health': { readonly answer: Health }
  /** Metrics of this worker and what it runs, for Prometheus */
  'GET /metrics': object
  /** This document */
  'GET /openapi.json': { readonly answer: unknown }
  /** Records of a topic as server-sent events, as they come */
  'GET /topics/{topic}/tail': {
    readonly path: { readonly topic: string }
    readonly query: {
      /** `latest`: what comes from now on; `earliest`; an offset of a partition */
      readonly from?: string
      /** This one alone */
      readonly partition?: number
      /** Ends after so many */
      readonly limit?: number
      /** `json`: values as the JSON that they hold; what is no text is in base64 */
      readonly format?: 'text' | 'json' | 'base64'
    }
    readonly event: TailedRecord
  }
}
