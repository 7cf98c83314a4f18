export const usage = {
  title: "Services",
  service: "Service",
  used: "Used",
  limit: "Limit",
  noLimit: "no limit",
  share: (percent: number) => `${percent} % used`,
  services: {
    input: "Data input",
    output: "Data output",
    analysis: "Analysis (minutes)",
    data_records: "Data records",
    sms: "SMS",
    email: "E-mail",
    run_users: "Run users",
    push_notification: "Push notifications",
    file_storage: "File storage (MB)",
  } as Record<string, string>,
};
