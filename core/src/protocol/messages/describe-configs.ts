/**
 * Configs of topics (resourceType 2), brokers (4), loggers (8) or groups (32). configurationKeys: null for all.
 * configSource: 1 topic, 2 broker, 3 cluster, 4 static broker config, 5 default. v3 has types and documentation.
 */
import { array, boolean, defineApi, int16, int32, int8, string } from '../message.ts'

export const describeConfigs = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  versions: [1, 4],
  flexible: 4,
  request: {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: array(string(), { nullable: 0 }),
    }),
    includeSynonyms: boolean({ default: false }),
    includeDocumentation: boolean({ from: 3, default: false }),
  },
  response: {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: 0 }),
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: 0 }),
        readOnly: boolean(),
        configSource: int8({ default: -1 }),
        isSensitive: boolean(),
        synonyms: array({ name: string(), value: string({ nullable: 0 }), source: int8() }),
        configType: int8({ from: 3, default: 0 }),
        documentation: string({ from: 3, nullable: 0 }),
      }),
    }),
  },
})
