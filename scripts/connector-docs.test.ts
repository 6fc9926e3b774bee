import { defineConfig, definePlugin, definePredicate, defineSink, defineTransform } from '@tidewire/sdk'
import { expect, test } from 'vitest'
import { describeConnector, describeTransforms, fillIn } from './connector-docs.ts'

test('fillIn replaces what is between the markers that are its own, and nothing else', async () => {
  const text = 'a\n<!-- start: x -->\nold\n<!-- end: x -->\nb\n<!-- start: y -->\nkeep\n<!-- end: y -->\nc\n'
  const generate = async (name: string) => (name === 'x' ? 'new' : undefined)
  const once = await fillIn(text, generate)
  expect(once).toEqual({
    names: ['x'],
    text: 'a\n<!-- start: x -->\n\nnew\n\n<!-- end: x -->\nb\n<!-- start: y -->\nkeep\n<!-- end: y -->\nc\n',
  })
  expect(await fillIn(once.text, generate)).toEqual(once)
})

test('describeConnector tells class names, settings with type and default, and what is refused', () => {
  const sink = defineSink({
    name: 'x-sink',
    aliases: ['org.example.X'],
    doc: 'Writes to X.',
    unsupported: { 'x.old': 'use x.url' },
    config: defineConfig({
      'x.url': { type: 'string', required: true, doc: 'Where X is: a|b' },
      'x.mode': { type: 'string', enum: ['a', 'b'], default: 'a', doc: 'How' },
      'x.size': { type: 'int', minimum: 1, default: 5, doc: 'How much', group: 'Limits' },
    }),
    write: () => ({ put: () => undefined }),
  })
  expect(describeConnector(sink)).toBe(`Writes to X.

\`connector.class\`: \`x-sink\`; also \`org.example.X\`

| setting | type | default | what it does |
|---|---|---|---|
| \`x.url\` | string | **required** | Where X is: a\\|b |
| \`x.mode\` | one of \`a\`, \`b\` | \`a\` | How |

**Limits**

| setting | type | default | what it does |
|---|---|---|---|
| \`x.size\` | int, at least 1 | \`5\` | How much |

Refused by name, since to ignore it would change the result:

| setting | why |
|---|---|
| \`x.old\` | use x.url |`)
})

test('describeTransforms tells one for keys and one for values together', () => {
  const config = defineConfig({ field: { type: 'string', required: true, doc: 'Which' } })
  const upper = (part: string, className: string) =>
    defineTransform({
      name: `upper-${part}`,
      aliases: [`org.example.${className}`, className],
      doc: `Shouts. Works on the record's ${part}.`,
      config,
      create: () => ({ apply: () => null }),
    })
  const late = definePredicate({
    name: 'is-late',
    doc: 'Late.',
    config: defineConfig({}),
    create: () => ({ test: () => true }),
  })
  const plugin = definePlugin({
    name: 'p',
    version: '1',
    transforms: [upper('key', 'Upper$Key'), upper('value', 'Upper$Value')],
    predicates: [late],
  })
  expect(describeTransforms(plugin)).toBe(`### \`upper-key\`, \`upper-value\`

Shouts.

In configs of Kafka Connect: \`org.example.Upper$Key\`, \`org.example.Upper$Value\`.

| setting | type | default | what it does |
|---|---|---|---|
| \`field\` | string | **required** | Which |

### Predicate \`is-late\`

Late.`)
})
