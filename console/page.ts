import type { RestClient } from '../core/src/rest-client/rest-client.ts'
import type { ClusterState } from './cluster-state.ts'

/** What a page has at hand. */
export interface Console {
  readonly client: RestClient
  readonly state: ClusterState
  /** Aborted when another page takes its place. */
  readonly signal: AbortSignal
  readonly go: (...path: readonly string[]) => void
}

export interface Page {
  readonly title: string
  readonly element: HTMLElement
  /** A connector changed; undefined: anything may have. */
  changed?(connector: string | undefined): void
}

/** A part of a connector's page. */
export interface Panel {
  readonly element: HTMLElement
  /** The connector changed. */
  changed?(): void
}
