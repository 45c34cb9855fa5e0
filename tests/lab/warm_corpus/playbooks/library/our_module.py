from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.ours import shouted

module = AnsibleModule({"text": {"type": "str"}, "key": {"type": "str", "no_log": True}})
module.exit_json(changed=True, said=shouted(module.params["text"]))
