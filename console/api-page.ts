/** The OpenAPI document as a page to read. */
import { fill, find, listen, make } from './dom.ts'
import { describeError } from './notices.ts'
import { clientOf } from './session.ts'

interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly type?: string | readonly string[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly required?: readonly string[]
  readonly default?: unknown
}

interface Content {
  readonly description?: string
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly 'x-role'?: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required: boolean
    readonly description?: string
    readonly schema: Schema
  }[]
  readonly requestBody?: Content & { readonly required: boolean }
  readonly responses: Readonly<Record<string, Content>>
}

interface Document {
  readonly info: { readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** Of Markdown the document has little more than backticks. */
const plain = (text = ''): string => text.replaceAll('`', '')

const rowOf = (...cells: readonly (readonly (Node | string)[])[]): HTMLTableRowElement =>
  make('tr', {}, ...cells.map((cell) => make('td', {}, ...cell)))

/** A schema in one line, or in several where it is an object. */
function shape(schema: Schema, indent = ''): string {
  const { $ref, enum: values, anyOf, type, items, properties, additionalProperties, required = [] } = schema
  if ($ref !== undefined) return $ref.slice($ref.lastIndexOf('/') + 1)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' | ')
  if (anyOf !== undefined) return anyOf.map((each) => shape(each, indent)).join(' | ')
  if (type === 'array') return `[${shape(items ?? {}, indent)}, …]`
  if (type === 'object' && properties !== undefined) {
    const inner = `${indent}  `
    const lines = Object.entries(properties).map(([name, each]) => {
      const optional = required.includes(name) ? '' : '?'
      const remark = each.description === undefined ? '' : `   // ${plain(each.description)}`
      return `${inner}${JSON.stringify(name)}${optional}: ${shape(each, inner)}${remark}`
    })
    return `{\n${lines.join('\n')}\n${indent}}`
  }
  if (type === 'object') return `{"…": ${shape(additionalProperties ?? {}, indent)}}`
  return [type ?? 'any value'].flat().join(' | ')
}

function shown(schema: Schema): HTMLElement {
  if (schema.$ref === undefined) return make('pre', {}, shape(schema))
  const name = shape(schema)
  return make('a', { href: `#${name}` }, name)
}

function contentOf({ content = {} }: Content): HTMLElement[] {
  return Object.entries(content).flatMap(([type, { schema }]) => [
    ...(type === 'application/json' ? [] : [make('div', { class: 'soft' }, type)]),
    shown(schema),
  ])
}

function parametersOf(parameters: NonNullable<Operation['parameters']>): HTMLElement {
  const rows = parameters.map(({ name, in: place, required, description, schema }) => {
    const kind = shape(schema) + (schema.default === undefined ? '' : `, default ${JSON.stringify(schema.default)}`)
    const where = make('span', { class: 'soft' }, place + (required ? '' : ', optional'))
    return rowOf([make('code', {}, name)], [where], [make('code', {}, kind)], [plain(description)])
  })
  return make('table', {}, ...rows)
}

function callOf(method: string, path: string, operation: Operation): HTMLElement {
  const { summary, description, parameters, requestBody, responses, 'x-role': role } = operation
  const answers = Object.entries(responses)
    .filter(([status]) => status !== 'default')
    .map(([status, answer]) =>
      rowOf([make('code', {}, status)], [make('div', {}, plain(answer.description)), ...contentOf(answer)]),
    )
  return make(
    'details',
    { class: 'card', id: operation.operationId },
    make(
      'summary',
      {},
      make('span', { class: `method ${method}` }, method.toUpperCase()),
      make('span', { class: 'path' }, path),
      make('div', { class: 'soft' }, plain(summary)),
    ),
    make(
      'div',
      { class: 'body' },
      description !== undefined && make('p', {}, plain(description)),
      parameters !== undefined && make('h3', {}, 'Parameters'),
      parameters !== undefined && parametersOf(parameters),
      requestBody !== undefined && make('h3', {}, `Body${requestBody.required ? '' : ', optional'}`),
      ...(requestBody === undefined ? [] : contentOf(requestBody)),
      make('h3', {}, 'Answers'),
      make('table', {}, ...answers),
      role !== undefined && make('p', { class: 'soft' }, `Where there is access control: role ${role}`),
    ),
  )
}

/** Headings and tables in the description are Markdown; a table's rows are all that this page needs of it. */
function errorTable(markdown: string): HTMLElement {
  const rows = markdown
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, statuses = '']) => /^[\d, ]+$/.test(statuses))
    .map(([, statuses = '', text]) => rowOf([make('code', {}, statuses)], [plain(text)]))
  return make('table', {}, ...rows)
}

function filter(): void {
  const words = (find('#filter') as HTMLInputElement).value.toLowerCase().split(/\s+/).filter(Boolean)
  for (const section of find('#calls').children) {
    const calls = [...section.querySelectorAll('details')]
    for (const each of calls) {
      const text = each.textContent.toLowerCase()
      each.hidden = !words.every((word) => text.includes(word))
    }
    ;(section as HTMLElement).hidden = calls.every((each) => each.hidden)
  }
}

function openTarget(): void {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (target instanceof HTMLDetailsElement) target.open = true
  target?.scrollIntoView()
}

async function show(): Promise<void> {
  try {
    const api = (await clientOf().call('GET /openapi.json')) as Document
    find('#version').textContent = `Version ${api.info.version}.`
    const calls = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
    )
    const groups = Map.groupBy(calls, ({ operation }) => operation.tags?.[0] ?? 'Others')
    const sections = [...groups].map(([title, its]) => {
      const made = its.map(({ method, path, operation }) => callOf(method, path, operation))
      return make('section', {}, make('h2', {}, title), ...made)
    })
    fill(find('#calls'), ...sections)
    fill(find('#errors'), shown({ $ref: '/ErrorBody' }), errorTable(api.info.description))
    const shapes = Object.entries(api.components.schemas).map(([name, schema]) =>
      make(
        'details',
        { class: 'card', id: name },
        make('summary', { class: 'path' }, name),
        make(
          'div',
          { class: 'body' },
          schema.description !== undefined && make('p', {}, plain(schema.description)),
          make('pre', {}, shape(schema)),
        ),
      ),
    )
    fill(find('#shapes'), ...shapes)
    openTarget()
  } catch (error) {
    find('#trouble').textContent = `The document could not be read. ${describeError(error)}`
    find('#trouble').hidden = false
  }
}

listen(find('#filter'), 'input', filter)
addEventListener('hashchange', openTarget)
void show()
