serve mail
