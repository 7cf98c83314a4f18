// English. Each part is a file, named as its pages call it.
import { common } from "./common";
import { account } from "./account";
import { allocation } from "./allocation";
import { audit } from "./audit";
import { backup } from "./backup";
import { billing } from "./billing";
import { data } from "./data";
import { devices } from "./devices";
import { errors } from "./errors";
import { factor } from "./factor";
import { fleet } from "./fleet";
import { frame } from "./frame";
import { guest } from "./guest";
import { imports } from "./import";
import { language } from "./language";
import { limits } from "./limits";
import { lost } from "./lost";
import { money } from "./money";
import { nav } from "./nav";
import { notFound } from "./notFound";
import { notify } from "./notify";
import { operator } from "./operator";
import { overview } from "./overview";
import { person } from "./person";
import { profiles } from "./profiles";
import { search } from "./search";
import { sessions } from "./sessions";
import { settings } from "./settings";
import { staff } from "./staff";
import { statistics } from "./statistics";
import { support } from "./support";
import { switcher } from "./switcher";
import { tags } from "./tags";
import { team } from "./team";
import { tokens } from "./tokens";
import { transfer } from "./transfer";
import { usage } from "./usage";
import { whatIf } from "./whatif";

export const en = {
  ...common,
  account,
  allocation,
  audit,
  backup,
  billing,
  data,
  devices,
  errors,
  factor,
  fleet,
  frame,
  guest,
  import: imports,
  language,
  limits,
  lost,
  money,
  nav,
  notFound,
  notify,
  operator,
  overview,
  person,
  profiles,
  search,
  sessions,
  settings,
  staff,
  statistics,
  support,
  switcher,
  tags,
  team,
  tokens,
  transfer,
  usage,
  whatIf,
};
