/** Fetches or builds what tests need and takes long, so that CI can do it beside something else: `node test/support/fetch-services-main.ts` */
import { fetchElasticsearch } from './elasticsearch.ts'
import { fetchOpensearch } from './opensearch.ts'
import { buildGateway } from './s3.ts'
import { fetchSqs } from './sqs.ts'

await Promise.all([buildGateway(), fetchSqs(), fetchElasticsearch(), fetchOpensearch()])
