import type { PreviewedRecord, PreviewedValue, ShownBytes } from '../rest-client/operations.ts'
import type { RestClient } from '../rest-client/rest-client.ts'
import { CliError } from './cli-error.ts'
import { isFile, readConnectorFile } from './connector-files.ts'
import type { Output } from './output.ts'
import { harmless } from './table.ts'

/**
 * `connector validate`: whether the config of a file would be taken.
 * @param deep the connector is to try it too
 * @throws CliError where it would not
 */
export async function validateConnector(rest: RestClient, out: Output, path: string, deep: boolean): Promise<void> {
  const { name, config } = await readConnectorFile(path)
  const plugin = config['connector.class']
  if (typeof plugin !== 'string') throw new CliError(`${path}: connector.class is missing`)
  if (deep) out.progress(`${name} tries its config`)
  const infos = await rest.call('PUT /connector-plugins/{plugin}/config/validate', {
    path: { plugin },
    query: deep ? { deep } : {},
    body: { ...config, name },
  })
  out.settle()
  const wrong = infos.configs.flatMap(({ value }) => value.errors.map((error) => [value.name, error]))
  await out.show(infos, () => (wrong.length === 0 ? `${path} is fine` : out.table(['SETTING', 'ERROR'], wrong)))
  if (infos.deep?.tried === false && infos.error_count === 0) out.warn(infos.deep.reason ?? 'nothing was tried')
  if (infos.error_count > 0) throw new CliError(`${path}: ${infos.error_count} settings are wrong`)
}

export interface PreviewOptions {
  readonly limit?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly from?: 'earliest' | 'latest' | 'committed' | undefined
  readonly task?: number | undefined
}

/**
 * `connector preview`: what a connector would do, with nothing written.
 * @param given the name of one that there is, or a file
 * @throws CliError where it failed, after what it did until then
 */
export async function previewConnector(
  rest: RestClient,
  out: Output,
  given: string,
  { limit, timeoutMs, from, task }: PreviewOptions,
): Promise<void> {
  out.progress(`reading what ${given} would read`)
  const request = {
    ...(limit === undefined ? {} : { limit }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(from === undefined ? {} : { from }),
    ...(task === undefined ? {} : { task }),
  }
  const file = isFile(given) ? await readConnectorFile(given) : undefined
  const preview =
    file === undefined
      ? await rest.call('POST /connectors/{name}/preview', { path: { name: given }, body: request })
      : await rest.call('POST /connectors/preview', { body: { ...request, name: file.name, config: file.config } })
  out.settle()
  await out.show(preview, () =>
    [...preview.records.map((record) => recordText(out, record)), endText(preview)].join('\n'),
  )
  if (!out.json)
    for (const { level, message, details } of preview.log) out.warn(`${level}: ${message} ${details}`.trim())
  if (preview.ended === 'failed') throw new CliError(`the preview failed: ${preview.error ?? 'no reason given'}`)
}

const ends = {
  limit: 'as many as asked for',
  bytes: 'as much as fits an answer',
  timeout: 'what came in the time',
  end: 'no more for now',
  failed: 'then it failed',
} as const

function endText({
  records,
  ended,
}: {
  readonly records: readonly PreviewedRecord[]
  readonly ended: keyof typeof ends
}): string {
  const dropped = records.filter((record) => record.dropped !== undefined).length
  const less = dropped === 0 ? '' : `, ${dropped} of them dropped`
  return `${records.length} ${records.length === 1 ? 'record' : 'records'}${less}: ${ends[ended]}`
}

function recordText(out: Output, record: PreviewedRecord): string {
  const { topic, partition, offset, key, value, errors, dropped } = record
  const place = [topic, partition, offset].filter((part) => part != null).join(':')
  const problems = errors.map(({ stage, message }) => `\n  ${out.paint('red', stage)} ${harmless(message)}`)
  const fate = dropped === undefined ? '' : `\n  ${out.paint('yellow', 'dropped')} by transforms.${harmless(dropped)}`
  return `${out.paint('dim', harmless(place))}  ${out.paint('cyan', valueText(key))}  ${valueText(value)}${fate}${problems.join('')}`
}

function valueText({ value, bytes }: PreviewedValue): string {
  if (value !== undefined)
    return value === null ? '–' : harmless(typeof value === 'string' ? value : JSON.stringify(value))
  return bytesText(bytes ?? null)
}

/** Bytes as the API shows them. */
export function bytesText(bytes: ShownBytes | null): string {
  if (bytes === null) return '–'
  const more = bytes.truncated === true ? `… (${bytes.size} bytes)` : ''
  return `${bytes.encoding === 'base64' ? 'base64:' : ''}${harmless(bytes.data)}${more}`
}
