/**
 * What of the cluster's work is this worker's. Here, this worker is the only one and the leader; membership and
 * the leader's assignments replace {@link soleWorker} and nothing else: connectors are woken when theirs changes.
 */
export interface Assignment {
  /** Generation of the assignment; statuses carry it, so that a worker of an older one gives way. */
  readonly generation: number
  /** Whether this worker may write configs. */
  readonly leader: boolean
  /** Whether this worker runs the connector and, so far, all its tasks. */
  owns(connector: string): boolean
}

export const soleWorker: Assignment = { generation: 0, leader: true, owns: () => true }
